package postgres

import (
	"strings"
	"unicode/utf8"
)

// Text returns the beginning of a text as Postgres takes it: valid UTF-8 without NUL, of at most limit bytes.
func Text(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
