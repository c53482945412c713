package decode_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
)

// FuzzMembers reads what encoding/json reads, member by member.
func FuzzMembers(f *testing.F) {
	for _, document := range []string{
		`{}`, ` {"a":1,"b":[{"c":"\u00e9"}],"a":null} `, `{"a":}`, `{"a":1`, `{"a":1}x`, `[1]`, ``, `null`, `{"\u0061":"x\"y"}`, "\ufeff{\"a\":true}",
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]json.RawMessage{}
		err := decode.Object(data, func(name, value []byte) error {
			got[string(name)] = slices.Clone(value)
			return nil
		})
		if err != nil {
			return // deeper than decode reads, or no object
		}
		for name, value := range got {
			if !json.Valid(value) {
				t.Errorf("%q has the value %q", name, value)
			}
			if value[0] == '[' {
				n := 0
				if err := decode.Array(value, func([]byte) error { n++; return nil }); err != nil {
					t.Errorf("an array that is valid: %v", err)
				}
				var elements []json.RawMessage
				if err := json.Unmarshal(value, &elements); err != nil || len(elements) != n {
					t.Errorf("%q has %d elements, and %d were read: %v", value, len(elements), n, err)
				}
			}
		}
	})
}

func TestMembersOfWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for document, good := range map[string]bool{
		`{"a":1}`: true, " {\n} ": true, `{"a":1}x`: false, `[1]`: false, ``: false, `null`: false, `{"a":}`: false, `{"a":1`: false, `{"a" 1}`: false, `{"a":1,}`: false,
	} {
		if err := decode.Object([]byte(document), func(_, _ []byte) error { return nil }); (err == nil) != good {
			t.Errorf("%q: %v", document, err)
		}
	}
}
