package ingest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// projectKey makes another project with a product SHOE, and an API key of it.
func (p *platform) projectKey(slug string) (key string, project int16) {
	p.t.Helper()
	if err := p.db.QueryRow(p.t.Context(), `INSERT INTO auth.projects (slug, name, currency) VALUES ($1, $1, 'JPY') RETURNING id`, slug).Scan(&project); err != nil {
		p.t.Fatal(err)
	}
	p.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES ($1, $2, 'SHOE', 'Shoe', 700, 'JPY')`, uuid.New(), project)
	key = p.apiKey("ingest")
	p.exec(`UPDATE auth.api_keys SET project = $2 WHERE key_hash = $1`, authn.HashKey(key), project)
	return key, project
}

// TestEachProjectHasItsOwnIDs sends the same events with two keys of a project and with one of another project.
func TestEachProjectHasItsOwnIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	other, project := p.projectKey("other")
	ts := time.Now().UTC().Format(time.RFC3339)
	item := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"ts":%q,"sku":"SHOE","user_id":"customer-17","type":"Signed Up"}`, id, ts)
	}
	for _, id := range []string{uuid.NewString(), "ajs-next-1732600000000-6f1c"} {
		for i, want := range []struct{ key, status string }{
			{other, "accepted"}, {p.ingestKey, "accepted"}, {p.apiKey("ingest"), "duplicate"}, {other, "duplicate"},
		} {
			a := p.post("/events", want.key, item(id))
			a.expect(t, http.StatusAccepted, "")
			if a.string("status") != want.status {
				t.Errorf("%s, event %d: got %s, want %s", id, i, a.string("status"), want.status)
			}
			if want.key == other {
				p.get("/events/batches/"+a.string("batch_id"), other).expect(t, http.StatusOK, "")
				p.get("/events/batches/"+a.string("batch_id"), p.ingestKey).expect(t, http.StatusNotFound, "not_found")
			}
		}
	}
	var batch []string
	for range 300 {
		batch = append(batch, item(uuid.NewString()))
	}
	p.post("/events/bulk", other, bulk(batch...)).expectBulk(t, 300, 0)
	p.post("/events/bulk", p.ingestKey, bulk(batch...)).expectBulk(t, 300, 0)
	p.post("/events/bulk", other, bulk(batch...)).expectBulk(t, 0, 300)
	for id, theirs := range map[int16]string{1: shoeID, project: ""} {
		n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN catalog.products AS p ON p.n = e.product AND p.project = e.project
			JOIN ingest.users AS u ON u.project = e.project AND u.n = e.user_n JOIN ingest.names AS m ON m.project = e.project AND m.n = e.name
			WHERE e.project = $1 AND ($2 = '' OR p.id::text = $2) AND u.id = 'customer-17' AND m.name = 'Signed Up'`, id, theirs)
		if n != 302 {
			t.Errorf("project %d has %d events, want 302", id, n)
		}
	}
}
