// Package strictjson reads JSON documents from strangers: valid UTF-8, each member name once, no half characters, and
// nothing behind the document. What encoding/json silently repairs or overrides (the last of two equal names wins) is an
// error here, because two readers of the same request could otherwise see different things.
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

// maxDepth bounds how deep arrays and objects may nest. Postgres and every client that reads the value back recurse.
const maxDepth = 64

// Parse decodes one JSON document into nil, bool, string, json.Number, []any and map[string]any. Its errors are of the
// kind errs.Malformed and never quote values of the document.
func Parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, malformed("The body is not valid UTF-8.")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, malformed(fmt.Sprintf("The body is not valid JSON: it breaks off or goes wrong at byte %d.", syntax.Offset))
		}
		return nil, malformed("The body is not valid JSON.")
	}
	if hasLoneSurrogate(data) {
		return nil, malformed(`The body has an incomplete \u escape: half of a surrogate pair.`)
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
		name, _ := token.(string) // in a valid object it is nothing else
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

// hasLoneSurrogate reports whether valid JSON has a \u escape that is half of a UTF-16 pair. Go reads it as U+FFFD;
// Postgres refuses it in jsonb.
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
			data = data[2:] // an escape of two bytes, perhaps of a backslash
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
