// Package strictjson parses untrusted JSON documents: valid UTF-8, no duplicate member names, no unpaired surrogates, no
// data after the document. encoding/json silently repairs these or picks a winner (the last of two equal names). Here they
// are errors, because otherwise two parsers could read the same request in different ways.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// maxDepth bounds how deep arrays and objects may nest, because Postgres and clients parse them recursively.
const maxDepth = 64

// Parse decodes one JSON document into nil, bool, string, json.Number, []any and map[string]any. Its errors are of the
// kind errs.Malformed and never quote values of the document.
func Parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, malformed("The body is not valid UTF-8.")
	}
	if value, ok := (&fast{data}).document(); ok {
		return value, nil
	}
	return parseSlowly(data)
}

// parseSlowly decodes any document, or says what is wrong with it.
func parseSlowly(data []byte) (any, error) {
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, malformed(fmt.Sprintf("The body is not valid JSON: the error is at byte %d.", syntax.Offset))
		}
		return nil, malformed("The body is not valid JSON.")
	}
	if hasLoneSurrogate(data) {
		return nil, malformed(`The body has an incomplete \u escape: an unpaired surrogate.`)
	}
	r := reader{json.NewDecoder(bytes.NewReader(data))}
	r.UseNumber()
	return r.value("", 0)
}

func malformed(detail string, fields ...errs.Field) error {
	return errs.New(errs.Malformed, "malformed_json", detail, fields...)
}

// reader decodes a document that is known to be valid JSON.
type reader struct{ *json.Decoder }

func (r reader) value(pointer string, depth int) (any, error) {
	token, err := r.Token()
	if err != nil {
		return nil, fmt.Errorf("read valid JSON: %w", err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, malformed(fmt.Sprintf("The body is nested more than %d levels deep.", maxDepth))
	}
	if delim == '[' {
		return r.array(pointer, depth+1)
	}
	return r.object(pointer, depth+1)
}

func (r reader) array(pointer string, depth int) (any, error) {
	items := []any{}
	for r.More() {
		item, err := r.value(pointer+"/"+strconv.Itoa(len(items)), depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.Token() // the closing bracket
	return items, err
}

func (r reader) object(pointer string, depth int) (any, error) {
	members := map[string]any{}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, fmt.Errorf("read valid JSON: %w", err)
		}
		name, _ := token.(string) // valid JSON has no other type here
		at := pointer + "/" + Escape(name)
		if _, twice := members[name]; twice {
			return nil, malformed("An object has two members of the same name.",
				errs.Field{Pointer: at, Code: "duplicate_field", Detail: "Must be given once."})
		}
		if members[name], err = r.value(at, depth); err != nil {
			return nil, err
		}
	}
	_, err := r.Token() // the closing brace
	return members, err
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// Escape returns name as a reference token of a JSON pointer (RFC 6901).
func Escape(name string) string { return pointerEscapes.Replace(name) }

// hasLoneSurrogate reports whether valid JSON has a \u escape that is half of a UTF-16 surrogate pair. Go decodes it as
// U+FFFD; Postgres refuses it in jsonb.
func hasLoneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		data = data[i:]
		first, ok := unicodeEscape(data)
		switch {
		case !ok:
			data = data[2:] // another escape, two bytes long
		case !utf16.IsSurrogate(first):
			data = data[6:]
		default:
			second, _ := unicodeEscape(data[6:])
			if utf16.DecodeRune(first, second) == utf8.RuneError {
				return true
			}
			data = data[12:]
		}
	}
}

// unicodeEscape decodes the \uXXXX at the beginning of data.
func unicodeEscape(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(code), err == nil
}
