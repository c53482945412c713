package ingest_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warnings lists the warnings of an answer as "index pointer code".
func (a answer) warnings() (found []string) {
	list, _ := a.object["warnings"].([]any)
	for _, each := range list {
		warning, _ := each.(map[string]any)
		pointer, _ := warning["pointer"].(string)
		code, _ := warning["code"].(string)
		index, _ := warning["index"].(float64)
		found = append(found, string(rune('0'+int(index)))+" "+pointer+" "+code)
	}
	return found
}

// TestAProjectThatHasNearlyAllItsNames sends events with the last name that needs no warning, with the first that has one, and with new ones until
// there are no more. Names that are known and those with a counter go on.
func TestAProjectThatHasNearlyAllItsNames(t *testing.T) {
	t.Parallel()
	p := start(t)
	fill := func(to int) {
		p.exec(`INSERT INTO ingest.names (project, n, name) SELECT 1, 15 + n, 'name ' || n FROM generate_series(1, $1::integer) AS n ON CONFLICT DO NOTHING`, to)
	}
	item := func(name string) string { return `{"type":"` + name + `","user_id":"u"}` }
	fill(7999)
	last := p.post("/events", p.ingestKey, item("the 8000th"))
	last.expect(t, http.StatusAccepted, "")
	if got := last.warnings(); got != nil {
		t.Errorf("the 8000th name: %v", got)
	}
	bulked := p.post("/events/bulk", p.ingestKey, bulk(item("name 1"), item("the 8001st"), item("the 8002nd"), item("view")))
	bulked.expectBulk(t, 4, 0)
	if diff := cmp.Diff([]string{"1 /type event_types_nearly_full"}, bulked.warnings()); diff != "" {
		t.Errorf("warnings of a bulk (-want +got):\n%s", diff)
	}
	p.exec(`DELETE FROM ingest.names WHERE name LIKE 'the 80%'`)
	fill(9999)
	p.post("/events/bulk", p.ingestKey, bulk(item("name 1"), item("one more"), item("view"), item("too many"))).expectBulk(t, 3, 0, "3/type too_many_event_types")
}

// TestAKeyThatUsesUpItsNames: another key of the project goes on to add names, and the first one to send those that are known.
func TestAKeyThatUsesUpItsNames(t *testing.T) {
	t.Parallel()
	p := start(t)
	other := p.apiKey("ingest")
	item := func(name string) string { return `{"type":"` + name + `","user_id":"u"}` }
	p.post("/events", p.ingestKey, item("first")).expect(t, http.StatusAccepted, "")
	p.exec(`INSERT INTO ingest.names (project, n, name, sender) SELECT 1, 16 + i, 'name ' || i, f.sender FROM ingest.names AS f, generate_series(1, 4999) AS i WHERE f.name = 'first'`)
	p.post("/events/bulk", p.ingestKey, bulk(item("first"), item("name 7"), item("new"), item("click"))).expectBulk(t, 3, 0, "2/type too_many_new_event_types")
	p.post("/events", other, item("new")).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, item("new")).expect(t, http.StatusAccepted, "")
	if n := p.count(`SELECT count(DISTINCT sender) FROM ingest.names WHERE sender LIKE 'key:%'`); n != 2 {
		t.Errorf("%d keys have added names", n)
	}
}
