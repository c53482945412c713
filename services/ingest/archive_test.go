package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestAnArchivedProjectTakesNothing archives the project in which a key and a member write: both are refused by name, reads go on, and users can
// still be erased.
func TestAnArchivedProjectTakesNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.auth.Token(authn.Admin, aliceID)
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	p.exec(`UPDATE auth.projects SET archived_at = now() WHERE id = 1`)
	platformtest.Eventually(t, time.Minute, "writes are refused", func() bool {
		return p.post("/events", p.ingestKey, view("")).status == http.StatusUnauthorized && p.post("/events", owner, view("")).status == http.StatusForbidden
	})
	before := p.count(`SELECT count(*) FROM ingest.events`)
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusUnauthorized, "invalid_api_key")
	for path, body := range map[string]string{
		"/events": view(""), "/events/bulk": bulk(view("")), "/purchases": twoShoes, "/orders": anOrder, "/imports": `{"id":"i","from":"2026-01-01","to":"2026-01-02"}`,
	} {
		p.post(path, owner, body).expect(t, http.StatusForbidden, "project_archived")
	}
	p.get("/events", owner).expect(t, http.StatusOK, "")
	p.send(http.MethodDelete, "/users/customer-17", owner, nil).expect(t, http.StatusAccepted, "")
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != before {
		t.Errorf("%d events were stored with and after the refusal", n-before)
	}
	p.exec(`UPDATE auth.projects SET archived_at = NULL WHERE id = 1`)
	platformtest.Eventually(t, time.Minute, "events are taken", func() bool { return p.post("/events", p.ingestKey, view("")).status == http.StatusAccepted })
}
