package posthog

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

var (
	errNoData = errors.New("the form has no field data")
	errEscape = errors.New("the form has a % without two hexadecimal digits")
)

// Unwrap returns the JSON of a body, which may be a form whose field data holds it, as text or in base64: browsers send a form when a page
// is left, because that needs no preflight. A form is decoded in its place, so it takes no memory besides the body.
func Unwrap(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 || isJSON(body) {
		return body, nil
	}
	for field := range bytes.SplitSeq(body, []byte("&")) {
		if value, found := bytes.CutPrefix(field, []byte("data=")); found {
			text, err := unescaped(value)
			if err != nil {
				return nil, malformed(err)
			}
			return decoded(text)
		}
	}
	return nil, malformed(errNoData)
}

func isJSON(text []byte) bool { return len(text) > 0 && (text[0] == '{' || text[0] == '[') }

// unescaped returns the value of a field of a form, in its place.
func unescaped(value []byte) ([]byte, error) {
	n := 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+3 > len(value) {
				return nil, errEscape
			}
			var digits [1]byte
			if _, err := hex.Decode(digits[:], value[i+1:i+3]); err != nil {
				return nil, errEscape
			}
			c, i = digits[0], i+2
		}
		value[n] = c
		n++
	}
	return value[:n], nil
}

// decoded returns the JSON of the field data, in its place.
func decoded(text []byte) ([]byte, error) {
	if text = bytes.TrimSpace(text); isJSON(text) {
		return text, nil
	}
	for i, c := range text { // of libraries that do not escape a plus
		if c == ' ' {
			text[i] = '+'
		}
	}
	text = bytes.TrimRight(text, "=")
	n, err := base64.RawStdEncoding.Decode(text, text)
	if err != nil {
		return nil, malformed(err)
	}
	return bytes.TrimSpace(text[:n]), nil
}
