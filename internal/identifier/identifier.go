// Package identifier says which texts can name a user, a product or an event: those that people really use, in any script, as
// long as they are safe in URLs, CSV files and logs. It also maps the ids of events and orders to UUIDs.
package identifier

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// MaxBytes is the length of a user id, an anonymous id and a SKU at most, in bytes of UTF-8.
const MaxBytes = 200

// MaxChars is the length of the name of an event and of the id of an event or order at most, in characters.
const MaxChars = 200

// The errors of texts that name nothing. Their texts complete the sentence "sku must …".
var (
	ErrEmpty       = errors.New("must not be empty")
	ErrTooLong     = errors.New("must have at most 200 bytes in UTF-8")
	ErrTooManyChar = errors.New("must have at most 200 characters")
	ErrUnprintable = errors.New("must have printable characters only, without line breaks, control and invisible formatting characters")
	ErrNotUTF8     = errors.New("must be UTF-8: it has U+FFFD, or bytes that are no UTF-8, which arrive as U+FFFD. Send the body in UTF-8, and not in another charset such as Latin-1")
	ErrUnstorable  = errors.New("must not have the NUL character, U+FFFD, or what is no Unicode character, such as half an emoji")
	ErrDots        = errors.New(`must not be "." or "..", because no path can name it`)
)

// Text returns the normal form of a user id, an anonymous id or a SKU: trimmed, and in Unicode normalization form C, so that
// texts that look the same are the same.
func Text(s string) (string, error) {
	s, err := normalize(s)
	switch {
	case err != nil:
		return "", err
	case len(s) > MaxBytes:
		return "", ErrTooLong
	case s == "." || s == "..": // clients remove dot segments from paths (RFC 3986, section 5.2.4), escaped or not
		return "", ErrDots
	}
	return s, nil
}

// Name returns the normal form of the name of an event.
func Name(s string) (string, error) {
	s, err := normalize(s)
	if err == nil && len(s) > MaxChars && utf8.RuneCountInString(s) > MaxChars {
		return "", ErrTooManyChar
	}
	return s, err
}

func normalize(s string) (string, error) {
	if printableASCII(s) {
		s = strings.Trim(s, " ")
	} else {
		if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
			return "", ErrNotUTF8
		}
		s = norm.NFC.String(strings.TrimSpace(s))
		for _, r := range s {
			if !printable(r) {
				return "", ErrUnprintable
			}
		}
	}
	if s == "" {
		return "", ErrEmpty
	}
	return s, nil
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printable reports whether r can be part of a name. The joiners are parts of words in some scripts and of emoji.
func printable(r rune) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	return unicode.IsPrint(r) || r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.Is(unicode.Mn, r)
}

// namespace is that of the ids that are no UUIDs, for version 5 (RFC 9562, section 5.5).
var namespace = uuid.MustParse("6f6c1c52-33a5-4c0b-9a5b-0d3d5f6a4b11")

// ID returns the id of an event, order or refund of a project: a UUID is itself, and any other text is a UUIDv5 of the project
// and the text. own is empty, or the account of a guest, whose ids are apart from those of all others: then a UUID is mapped, too.
// Decoders put U+FFFD in the place of what is no Unicode character, so two texts with it may have been different ids.
func ID(project int16, own, id string) (uuid.UUID, error) {
	if id == "" {
		return uuid.Nil, ErrEmpty
	}
	if own == "" {
		if parsed, err := uuid.Parse(id); err == nil && len(id) == 36 {
			return parsed, nil
		}
	}
	if utf8.RuneCountInString(id) > MaxChars {
		return uuid.Nil, ErrTooManyChar
	}
	if strings.ContainsAny(id, "\x00\ufffd") || !utf8.ValidString(id) {
		return uuid.Nil, ErrUnstorable
	}
	return uuid.NewSHA1(namespace, []byte(strconv.Itoa(int(project))+"\n"+own+"\n"+id)), nil
}
