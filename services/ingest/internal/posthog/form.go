package posthog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/url"
)

var errNoData = errors.New("the form has no field data")

// unwrapped returns the JSON of a body. Browsers send a form when a page is left, because that needs no preflight.
func unwrapped(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 || body[0] == '{' || body[0] == '[' {
		return body, nil
	}
	for field := range bytes.SplitSeq(body, []byte("&")) {
		value, found := bytes.CutPrefix(field, []byte("data="))
		if !found {
			continue
		}
		text, err := url.QueryUnescape(string(value))
		if err != nil {
			return nil, malformed(err)
		}
		return decoded([]byte(text))
	}
	return nil, malformed(errNoData)
}

// decoded returns the JSON of the field data.
func decoded(text []byte) ([]byte, error) {
	if text = bytes.TrimSpace(text); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return text, nil
	}
	text = bytes.ReplaceAll(text, []byte(" "), []byte("+")) // of libraries that do not escape it
	text = bytes.TrimRight(text, "=")
	n, err := base64.RawStdEncoding.Decode(text, text)
	if err != nil {
		return nil, malformed(err)
	}
	return bytes.TrimSpace(text[:n]), nil
}
