package ingest_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAPurchaseAmongEvents is stored as an event like any other, and the answer says where purchases go.
func TestAPurchaseAmongEvents(t *testing.T) {
	t.Parallel()
	p := start(t)
	type warning struct {
		index         float64
		pointer, code string
	}
	warnings := func(a answer) (all []warning) {
		list, _ := a.object["warnings"].([]any)
		for _, item := range list {
			w := item.(map[string]any)
			all = append(all, warning{w["index"].(float64), w["pointer"].(string), w["code"].(string)})
		}
		return all
	}
	single := p.post("/events", p.ingestKey, `{"type":" purchase","sku":"SHOE","user_id":"u"}`)
	single.expect(t, http.StatusAccepted, "")
	if diff := cmp.Diff([]warning{{0, "/type", "plain_event"}}, warnings(single), cmp.AllowUnexported(warning{})); diff != "" {
		t.Errorf("one event (-want +got):\n%s", diff)
	}
	many := p.post("/events/bulk", p.ingestKey, `{"events":[{"type":"view","user_id":"u"},{"type":"purchase","user_id":"u"},{"type":"purchases","user_id":"u"},{"type":"purchase"}]}`)
	many.expect(t, http.StatusAccepted, "")
	if diff := cmp.Diff([]warning{{1, "/type", "plain_event"}}, warnings(many), cmp.AllowUnexported(warning{})); diff != "" {
		t.Errorf("many events (-want +got):\n%s", diff)
	}
}
