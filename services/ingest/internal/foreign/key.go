package foreign

import (
	"errors"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
)

// maxKey is how many bytes of JSON a key has at most. Longer texts are no keys, and are not copied.
const maxKey = 256

// errFound ends a search.
var errFound = errors.New("found")

// Key returns the first member of a JSON object that has one of names and can be a key; nothing if there is none. It takes no memory that
// grows with the object and stops at the key, so what follows may be malformed.
func Key(object []byte, names ...string) (key string) {
	_ = decode.Object(object, func(name, value []byte) error {
		if len(value) > maxKey || !oneOf(names, name) {
			return nil
		}
		var text Text
		if err := text.UnmarshalJSON(value); err == nil && text != "" {
			key = string(text)
			return errFound
		}
		return nil
	})
	return key
}

// oneOf is slices.Contains without a copy of name.
func oneOf(names []string, name []byte) bool {
	for i := range names { //nolint:modernize // slices.Contains would copy name each time
		if names[i] == string(name) {
			return true
		}
	}
	return false
}

// Member returns the JSON of the first member with a name, up to which the object is well-formed; nil if there is none. It belongs to the
// object.
func Member(object []byte, name string) (found []byte) {
	_ = decode.Object(object, func(n, value []byte) error {
		if string(n) != name {
			return nil
		}
		found = value
		return errFound
	})
	return found
}

// FirstKey returns what key finds in the first element of a JSON array in which it finds anything.
func FirstKey(array []byte, key func(element []byte) string) (found string) {
	_ = decode.Array(array, func(element []byte) error {
		if found = key(element); found != "" {
			return errFound
		}
		return nil
	})
	return found
}
