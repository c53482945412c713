package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit/audittest"
)

// visit is an event of a time.
func visit(user, ts string) string {
	return `{"type":"view","sku":"SHOE","user_id":"` + user + `","id":"` + user + ts + `","ts":"` + ts + `"}`
}

// withImport sends a bulk request that names an import.
func (p *platform) withImport(key, name, body string) answer {
	return p.post("/events/bulk", key, body, "Import", name)
}

func TestAnnouncedHistoryIsOfAnyAge(t *testing.T) {
	t.Parallel()
	p := start(t)
	admin := p.apiKey("admin")
	old, older := visit("a", "2011-03-04T05:06:07Z"), visit("b", "2010-12-31T23:59:59Z")
	refused := p.post("/events/bulk", admin, `{"events":[`+old+`]}`)
	refused.expect(t, http.StatusUnprocessableEntity, "")
	p.withImport(admin, "uci", `{"events":[`+old+`]}`).expect(t, http.StatusUnprocessableEntity, "unknown_import")

	begun := p.post("/imports", admin, `{"id":"uci","from":"2011-01-01","to":"2011-12-31"}`)
	begun.expect(t, http.StatusOK, "")
	answer := p.withImport(admin, "uci", `{"events":[`+old+`,`+older+`]}`)
	answer.expect(t, http.StatusAccepted, "")
	if answer.number("accepted") != 1 || answer.number("rejected") != 1 {
		t.Errorf("an event of the import and one of the day before it: %v", answer.object)
	}
	// Announced again, it has more days.
	again := p.post("/imports", admin, `{"id":"uci","from":"2010-12-01","to":"2010-12-31"}`)
	if again.string("from") != "2010-12-01" || again.string("to") != "2011-12-31" || again.string("id") != begun.string("id") {
		t.Errorf("announced again: %v", again.object)
	}
	answer = p.withImport(admin, "uci", `{"events":[`+old+`,`+older+`]}`)
	if answer.number("accepted") != 1 || answer.number("duplicates") != 1 {
		t.Errorf("sent again: %v", answer.object)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE ts < '2012-01-01'`); n != 2 {
		t.Errorf("%d events are stored", n)
	}

	for range 2 {
		finished := p.send(http.MethodDelete, "/imports/uci", admin, nil)
		finished.expect(t, http.StatusOK, "")
		if finished.object["finished_at"] == nil || finished.object["proven_at"] != nil {
			t.Errorf("finished: %v", finished.object)
		}
	}
	p.withImport(admin, "uci", `{"events":[`+old+`]}`).expect(t, http.StatusUnprocessableEntity, "unknown_import")
	p.get("/imports/"+begun.string("id"), admin).expect(t, http.StatusOK, "")
}

// TestEventsOfManyWeeksAreTakenStepByStep sends events of more weeks than a request may have prepared: it gets 503, and is taken when it
// is sent again.
func TestEventsOfManyWeeksAreTakenStepByStep(t *testing.T) {
	t.Parallel()
	p := start(t)
	admin := p.apiKey("admin")
	p.post("/imports", admin, `{"id":"x","from":"2010-01-01","to":"2011-12-31"}`).expect(t, http.StatusOK, "")
	var events []string
	for week := range 40 {
		events = append(events, visit(fmt.Sprint("week-", week), time.Date(2010, 1, 4, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*week).Format(time.RFC3339)))
	}
	body := `{"events":[` + strings.Join(events, ",") + `]}`
	p.withImport(admin, "x", body).expect(t, http.StatusServiceUnavailable, "weeks_being_prepared")
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 0 {
		t.Errorf("%d events of a refused request are stored", n)
	}
	if a := p.withImport(admin, "x", body); a.number("accepted") != 40 {
		t.Errorf("sent again: %d %v", a.status, a.object)
	}
}

func TestWhoMayImport(t *testing.T) {
	t.Parallel()
	p := start(t)
	const body = `{"id":"x","from":"2011-01-01","to":"2011-12-31"}`
	p.post("/imports", p.ingestKey, body).expect(t, http.StatusForbidden, "forbidden")
	p.post("/imports", p.apiKey("admin"), body).expect(t, http.StatusOK, "")
	p.withImport(p.ingestKey, "x", bulk(view(""))).expect(t, http.StatusForbidden, "forbidden")
	p.get("/imports/x", p.ingestKey).expect(t, http.StatusForbidden, "forbidden")
	p.get("/imports/y", p.apiKey("admin")).expect(t, http.StatusNotFound, "not_found")
	p.get("/imports/"+strings.Repeat("y", 201), p.apiKey("admin")).expect(t, http.StatusNotFound, "not_found") // longer than any id
}

func TestImportsThatCannotBe(t *testing.T) {
	t.Parallel()
	p := start(t)
	admin := p.apiKey("admin")
	for _, body := range []string{
		`{"id":"x","from":"2011-01-02","to":"2011-01-01"}`, `{"id":"x","from":"1900-01-01","to":"2011-01-01"}`, `{"from":"2011-01-02","to":"2011-01-03"}`,
		`{"id":"x","from":"2011-02-30","to":"2011-03-01"}`, `{"id":"x","from":"1970-01-01","to":"1970-01-05"}`,
	} {
		p.post("/imports", admin, body).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	}
	early := p.post("/imports", admin, `{"id":"x","from":"1969-12-31","to":"1970-01-05"}`)
	if got := fmt.Sprint(early.object["errors"]); !strings.Contains(got, "from must not be before 1970-01-02") {
		t.Errorf("the earliest day is not named: %s", got)
	}
	p.post("/imports", admin, `{"id":"x","from":"1970-01-02","to":"1970-01-05"}`).expect(t, http.StatusOK, "")
}

// TestUnprovenDaysAreKept until reconcile has proven them, or until nobody goes on with the import.
func TestUnprovenDaysAreKept(t *testing.T) {
	t.Parallel()
	p := start(t)
	admin := p.apiKey("admin")
	p.post("/imports", admin, `{"id":"x","from":"2011-03-04","to":"2011-03-04"}`).expect(t, http.StatusOK, "")
	p.withImport(admin, "x", `{"events":[`+visit("a", "2011-03-04T05:06:07Z")+`]}`).expect(t, http.StatusAccepted, "")
	p.exec(`UPDATE ingest.batches SET aggregated_at = now()`)
	dropped := func() int {
		return p.count(`SELECT count(*) FROM ingest.drop_partitions_before($1::date, true) WHERE held_by IS NULL`, time.Now().AddDate(0, 0, -200).Format(time.DateOnly))
	}
	for _, step := range []struct {
		change string
		want   int
	}{
		{`SELECT`, 0},
		{`UPDATE ingest.imports SET begun_at = now() - interval '91 days'`, 1},
		{`UPDATE ingest.imports SET finished_at = now()`, 1},
		{`UPDATE ingest.imports SET begun_at = now() - interval '89 days'`, 0},
		{`UPDATE ingest.imports SET proven_at = now()`, 1},
		{`UPDATE ingest.imports SET proven_at = NULL, project = 2`, 1}, // a project without rows of the day
	} {
		if p.exec(step.change); dropped() != step.want {
			t.Errorf("after %s: %d partitions would be dropped, want %d", step.change, dropped(), step.want)
		}
	}
	// Announcing an import again does not prolong the 90 days.
	p.exec(`UPDATE ingest.imports SET project = 1, begun_at = now() - interval '89 days'`)
	p.post("/imports", admin, `{"id":"x","from":"2011-03-04","to":"2011-03-04"}`).expect(t, http.StatusOK, "")
	if n := p.count(`SELECT count(*) FROM ingest.imports WHERE begun_at < now() - interval '88 days'`); n != 1 {
		t.Error("announced again, the days are kept for longer")
	}
}

// TestImportsAreAudited announces and finishes an import and reads it in the audit log. Then the log takes no rows any more, and
// no import begins or ends.
func TestImportsAreAudited(t *testing.T) {
	t.Parallel()
	p := start(t)
	admin := p.apiKey("admin")
	const announcement = `{"id":"uci","from":"2011-01-01","to":"2011-12-31"}`
	p.post("/imports", admin, announcement).expect(t, http.StatusOK, "")
	p.post("/imports", admin, `{"id":"bad","from":"2011-02-01","to":"2011-01-01"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	for range 2 { // the second one changes nothing
		p.send(http.MethodDelete, "/imports/uci", admin, nil).expect(t, http.StatusOK, "")
	}
	p.send(http.MethodDelete, "/imports/other", admin, nil).expect(t, http.StatusNotFound, "not_found")
	p.post("/imports", admin, announcement).expect(t, http.StatusOK, "")
	want := []string{
		`key import.announced {"to": "2011-12-31", "from": "2011-01-01"}`,
		`key import.finished {"to": "2011-12-31", "from": "2011-01-01"}`,
		`key import.announced {"to": "2011-12-31", "from": "2011-01-01"}`,
	}
	if diff := cmp.Diff(want, audittest.Lines(t, p.db.Config().ConnString())); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}

	audittest.Break(t, p.db.Config().ConnString())
	p.post("/imports", admin, `{"id":"new","from":"2011-01-01","to":"2011-12-31"}`).expect(t, http.StatusInternalServerError, "internal")
	p.send(http.MethodDelete, "/imports/uci", admin, nil).expect(t, http.StatusInternalServerError, "internal")
	if n := p.count(`SELECT count(*) FILTER (WHERE finished_at IS NULL) * 10 + count(*) FROM ingest.imports`); n != 11 {
		t.Errorf("imports changed without a row in the log: %d", n)
	}
}
