package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Text is a text, or a number or truth value in its place, because libraries in languages without types send numbers as ids. It is empty
// for null and for an absent member. Anything else is an error of the message.
type Text string

// UnmarshalJSON implements json.Unmarshaler. data is one JSON value. A text without escapes costs one allocation.
func (t *Text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		if text := data[1 : len(data)-1]; bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
			*t = Text(text)
			return nil
		}
		return json.Unmarshal(data, (*string)(t))
	case 'n':
		return nil
	case '{', '[':
		return fmt.Errorf("a text is expected where %.20q is", data)
	default:
		*t = Text(data)
		return nil
	}
}

// MembersPerByte is how many bytes of memory Members take at most for a byte of JSON: small ones such as "a":1, take the most.
const MembersPerByte = 24

// Members are those of a JSON object, by name. Their values belong to the body.
type Members map[string]json.RawMessage

// Text returns a member that is a text. It is empty if there is none.
func (m Members) Text(name string) Text {
	var t Text
	if raw, ok := m[name]; !ok || t.UnmarshalJSON(raw) != nil {
		return ""
	}
	return t
}

// Object returns the members of a member. There are none if it is no object.
func (m Members) Object(name string) Members {
	var o Members
	if json.Unmarshal(m[name], &o) != nil {
		return nil
	}
	return o
}

// Is reports whether a member is a truth value.
func (m Members) Is(name string, value bool) bool {
	return m.Text(name) == Text(strconv.FormatBool(value))
}

// Put adds a member that is a text, unless the text is empty.
func (m Members) Put(name string, text Text) {
	if text == "" {
		return
	}
	m[name] = plain(text)
}

// JSON returns the object. Its texts are as long as they were sent: < and > are not escaped.
func (m Members) JSON() json.RawMessage { return plain(m) }

func plain(value any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil { // not reached: texts and members are JSON
		return nil
	}
	return bytes.TrimSpace(text.Bytes())
}
