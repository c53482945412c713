package ingest_test

import (
	"net/http"
	"testing"
)

// A text that Postgres does not store costs its characters, and the answer says so. The rest of the request is as it was.
func TestTextThatCannotBeStoredIsReplaced(t *testing.T) {
	t.Parallel()
	p := start(t)
	const event = `"type":"view","sku":"SHOE","user_id":"customer-17"`
	single := p.post("/events", p.ingestKey, `{`+event+`,"properties":{"title":"Hoodie \ud83d"}}`)
	single.expect(t, http.StatusAccepted, "")
	bulk := p.post("/events/bulk", p.ingestKey, `{"events":[{`+event+`},{`+event+`,"properties":{"a":"x\u0000y"}}]}`)
	bulk.expect(t, http.StatusAccepted, "")
	for index, a := range map[int]answer{0: single, 1: bulk} {
		warnings, _ := a.object["warnings"].([]any)
		if len(warnings) != 1 {
			t.Fatalf("warnings of %v", a.object)
		}
		w, _ := warnings[0].(map[string]any)
		if w["code"] != "characters_replaced" || w["pointer"] != "/properties" || w["index"] != float64(index) {
			t.Errorf("warning %v", w)
		}
	}
	for _, want := range []string{"Hoodie \ufffd", "x\ufffdy"} {
		if n := p.count(`SELECT count(*) FROM ingest.events WHERE $1 IN (properties::jsonb->>'title', properties::jsonb->>'a')`, want); n != 1 {
			t.Errorf("%d events have %q", n, want)
		}
	}
}

// A client that looks only at the status must be able to see that nothing was taken.
func TestBulkAnswersCountInTheirHeader(t *testing.T) {
	t.Parallel()
	p := start(t)
	const good, bad = `{"type":"view","sku":"SHOE","user_id":"customer-17"}`, `{"type":"view","sku":"NONE","user_id":"customer-17"}`
	for body, want := range map[string][2]string{
		bad + "," + bad: {"0", "2"}, good + "," + bad: {"1", "1"}, good: {"1", "0"},
	} {
		status := http.StatusAccepted
		if want[0] == "0" {
			status = http.StatusUnprocessableEntity
		}
		a := p.post("/events/bulk", p.ingestKey, `{"events":[`+body+`]}`)
		if got := [2]string{a.header.Get("Events-Accepted"), a.header.Get("Events-Rejected")}; got != want || a.status != status {
			t.Errorf("%s: %d, accepted and rejected %v, want %v", body, a.status, got, want)
		}
	}
}
