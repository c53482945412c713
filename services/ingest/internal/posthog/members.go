package posthog

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// scalar is a text, or a number or truth value in its place. Anything else is an error of the message.
type scalar string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, (*string)(s))
	case 'n':
		return nil
	case '{', '[':
		return fmt.Errorf("a text is expected where %.20q is", data)
	default:
		*s = scalar(data)
		return nil
	}
}

// members are those of an object, by name.
type members map[string]json.RawMessage

// text returns a member that is a scalar. It is empty if there is none.
func (m members) text(name string) scalar {
	var s scalar
	if raw, ok := m[name]; !ok || s.UnmarshalJSON(raw) != nil {
		return ""
	}
	return s
}

// object returns the members of a member. There are none if it is no object.
func (m members) object(name string) members {
	var o members
	if json.Unmarshal(m[name], &o) != nil {
		return nil
	}
	return o
}

// is reports whether a member is a truth value.
func (m members) is(name string, value bool) bool {
	return m.text(name) == scalar(strconv.FormatBool(value))
}
