package foreign_test

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// TestKey finds keys in objects of which not all can be read.
func TestKey(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"key":"a"}`: "a", "\ufeff {\"other\":{\"key\":\"b\"},\"key\":\"a\"}": "a", `{"key":"","token":"a"}`: "a", `{"key":null,"token":"a"}`: "a",
		`{"key":["b"],"token":"a"}`: "a", `{"key":"a","rest":`: "a", `{"key":17}`: "17", `{"rest":`: "", `[]`: "", ``: "", `{"other":"a"}`: "",
		`{"key":"` + strings.Repeat("x", 1000) + `"}`: "",
	} {
		if got := foreign.Key([]byte(object), "key", "token"); got != want {
			t.Errorf("%.60s: %q, want %q", object, got, want)
		}
	}
	if got := foreign.FirstKey([]byte(`[17,{},{"key":"a"},{"key":"b"}]`), func(e []byte) string { return foreign.Key(e, "key") }); got != "a" {
		t.Errorf("the first key of a list is %q", got)
	}
	if got := foreign.Member([]byte(`{"a":1,"list":[2],"rest":`), "list"); string(got) != "[2]" {
		t.Errorf("the member is %q", got)
	}
}

// A search takes no memory that grows with what is searched, because it reads what strangers send.
func TestKeyTakesNoMemory(t *testing.T) {
	body := []byte("{" + strings.Repeat(`"name":{"a":[]},`, 10_000) + `"key":"a"}`)
	if n := testing.AllocsPerRun(1, func() { foreign.Key(body, "key") }); n > 10 {
		t.Errorf("%v allocations for 10,000 members", n)
	}
}
