package ingest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// A project's limit is shared by its callers, and by nobody in another project with the same limit.
func TestLimitOfAProject(t *testing.T) {
	t.Parallel()
	p := start(t, quota(100_000))
	// One event a second on average: of the 1,280 that the largest request may take, some come back while the test runs, but not 400.
	p.exec(`UPDATE auth.projects SET events_per_second = 1 WHERE id = 1`)
	p.exec(`INSERT INTO auth.projects (slug, name, events_per_second) VALUES ('second', 'Second', 1)`)
	p.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency)
		SELECT $1, id, 'SHOE', 'Shoe', 100, 'EUR' FROM auth.projects WHERE slug = 'second'`, uuid.New())
	first, second, elsewhere := p.apiKey("ingest"), p.apiKey("ingest"), authn.NewKey()
	p.exec(`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes)
		SELECT $1, id, 'test', $2, 'hpa_test', '{ingest}' FROM auth.projects WHERE slug = 'second'`, uuid.New(), authn.HashKey(elsewhere))

	batch := bulk(strings.Split(strings.Repeat(view("")+"\n", 399)+view(""), "\n")...)
	for _, key := range []string{first, second, first} {
		p.post("/events/bulk", key, batch).expectBulk(t, 400, 0)
	}
	denied := p.post("/events/bulk", second, batch)
	denied.expect(t, http.StatusTooManyRequests, "rate_limited")
	policies := strings.Join(denied.header.Values("RateLimit-Policy"), ", ")
	if denied.header.Get("Retry-After") == "" || !strings.Contains(policies, `"project";q=10;w=10`) {
		t.Errorf("headers %v", denied.header)
	}
	p.post("/events", second, view("")).expect(t, http.StatusAccepted, "") // what was denied took nothing
	p.post("/events/bulk", elsewhere, batch).expectBulk(t, 400, 0)
	if n := p.count(`SELECT count(DISTINCT project) FROM ingest.events`); n != 2 {
		t.Errorf("events of %d projects", n)
	}
}
