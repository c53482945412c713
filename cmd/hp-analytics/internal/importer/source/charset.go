package source

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// notUTF8 is the error of a row in another charset: it says where it is not UTF-8, and what to do. values are those of a CSV row, and
// header its columns.
func notUTF8(line int64, text string, values, header []string) error {
	where := ""
	for i, value := range values {
		if utf8.ValidString(value) {
			continue
		}
		text = value
		if where = fmt.Sprintf(", column %d", i+1); i < len(header) {
			where = fmt.Sprintf(", column %q", header[i])
		}
		break
	}
	valid := 0
	for valid < len(text) {
		r, size := utf8.DecodeRuneInString(text[valid:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		valid += size
	}
	return fmt.Errorf("line %d%s: the text is not UTF-8 behind %s (byte 0x%X). Convert the file (iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW), "+
		"or name its charset in the mapping (file: {charset: windows-1252})", line, where, strconv.Quote(lastOf(text[:valid])), text[valid])
}

// lastOf returns the last characters of a text.
func lastOf(text string) string {
	const enough = 20
	runes := []rune(text)
	return string(runes[max(0, len(runes)-enough):])
}
