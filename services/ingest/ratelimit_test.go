package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// quota is an option: n events an hour, so that nothing is granted again during a test.
func quota(n int) func(*ingest.Config) {
	return func(cfg *ingest.Config) { cfg.RateLimit, cfg.RateWindow = n, time.Hour }
}

// fill sends batches of 400 until the quota of 1000 does not hold another one.
func fill(t *testing.T, p *platform) {
	t.Helper()
	batch := bulk(strings.Split(strings.Repeat(view("")+"\n", 399)+view(""), "\n")...)
	for range 2 {
		a := p.post("/events/bulk", p.ingestKey, batch)
		a.expectBulk(t, 400, 0)
		if a.header.Get("RateLimit") == "" || a.header.Get("RateLimit-Policy") != `"ingest";q=1000;w=3600` {
			t.Errorf("headers %v", a.header)
		}
	}
	denied := p.post("/events/bulk", p.ingestKey, batch)
	denied.expect(t, http.StatusTooManyRequests, "rate_limited")
	if denied.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	// What was denied took nothing: single events still fit.
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	p.post("/purchases", p.ingestKey, twoShoes).expect(t, http.StatusCreated, "")
}

func TestQuotaIsPerCaller(t *testing.T) {
	t.Parallel()
	p := start(t, quota(1000))
	fill(t, p)
	p.post("/events", p.apiKey("ingest"), view("")).expect(t, http.StatusAccepted, "")
}

func TestQuotaCountsEventsNotRequests(t *testing.T) {
	t.Parallel()
	p := start(t, quota(1000))
	refused := strings.Repeat(`{"type":"view","sku":"NONE","user_id":"u"}`+"\n", 600)
	p.post("/events/bulk", p.ingestKey, refused, "Content-Type", "application/x-ndjson").expect(t, http.StatusUnprocessableEntity, "")
	p.post("/events/bulk", p.ingestKey, refused, "Content-Type", "application/x-ndjson").expect(t, http.StatusTooManyRequests, "rate_limited")
}

// A line of an order is stored as an event is, so it is charged as one.
func TestQuotaCountsLines(t *testing.T) {
	t.Parallel()
	p := start(t, quota(1000))
	order := func(id string) string {
		lines := strings.Repeat(`{"sku":"SHOE","quantity":1},`, 599) + `{"sku":"SHOE","quantity":1}`
		return `{"id":"` + id + `","user_id":"u","currency":"EUR","lines":[` + lines + `]}`
	}
	p.post("/orders", p.ingestKey, order("a")).expect(t, http.StatusCreated, "")
	p.post("/orders", p.ingestKey, order("b")).expect(t, http.StatusTooManyRequests, "rate_limited")
	p.post("/orders/bulk", p.ingestKey, `{"orders":[`+order("c")+`]}`).expect(t, http.StatusTooManyRequests, "rate_limited")
}

// TestGarbageTakesTheQuota sends what holds no event at all: a body costs its caller for its bytes.
func TestGarbageTakesTheQuota(t *testing.T) {
	t.Parallel()
	members := `{` + strings.Repeat(`"a":1,`, 200_000) + `"a":1}`
	for name, tc := range map[string]struct {
		body   []byte
		header []string
		status int
	}{
		"unknown fields":  {[]byte(members), nil, http.StatusUnprocessableEntity},
		"gzip":            {gzipped(t, members[:500_000]), []string{"Content-Encoding", "gzip"}, http.StatusUnprocessableEntity},
		"zstd":            {zstandard(t, members[:500_000]), []string{"Content-Encoding", "zstd"}, http.StatusUnprocessableEntity},
		"empty lines":     {[]byte(strings.Repeat("\n", 1<<20)), []string{"Content-Type", "application/x-ndjson"}, http.StatusUnprocessableEntity},
		"too large":       {[]byte(strings.Repeat(" ", 6<<20)), nil, http.StatusRequestEntityTooLarge},
		"damaged zstd":    {append(zstandard(t, members[:300_000]), "damaged"...), []string{"Content-Encoding", "zstd"}, http.StatusBadRequest},
		"compressed bomb": {gzipped(t, strings.Repeat(" ", 5<<20)), []string{"Content-Encoding", "gzip"}, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, quota(1280))
			if first := p.send(http.MethodPost, "/events/bulk", p.ingestKey, tc.body, tc.header...); first.status != tc.status {
				t.Errorf("the first one: got %d %v, want %d", first.status, first.object, tc.status)
			}
			for range 20 {
				a := p.send(http.MethodPost, "/events/bulk", p.ingestKey, tc.body, tc.header...)
				if a.status == http.StatusTooManyRequests {
					a.expect(t, http.StatusTooManyRequests, "rate_limited")
					return
				}
			}
			t.Error("20 bodies without an event are all within a quota of 1280")
		})
	}
}

// A user has a small quota of its own kind, however large that of keys is.
func TestUsersHaveASmallQuota(t *testing.T) {
	t.Parallel()
	p := start(t, quota(5000), func(cfg *ingest.Config) { cfg.UserRateLimit = 3 })
	alice := p.auth.Token(authn.User, aliceID)
	for range 3 {
		p.post("/events", alice, `{"type":"view","sku":"SHOE"}`).expect(t, http.StatusAccepted, "")
	}
	for path, body := range map[string]string{
		"/events": `{"type":"view","sku":"SHOE"}`, "/events/bulk": bulk(`{"type":"view","sku":"SHOE"}`), "/purchases": `{"sku":"SHOE","quantity":1}`,
	} {
		p.post(path, alice, body).expect(t, http.StatusTooManyRequests, "rate_limited")
	}
	p.post("/events", p.auth.Token(authn.User, bobID), `{"type":"view","sku":"SHOE"}`).expect(t, http.StatusAccepted, "")
	member := p.auth.Token(authn.Analyst, uuid.NewString())
	for range 5 {
		p.post("/events", member, `{"type":"custom","sku":"SHOE"}`).expect(t, http.StatusAccepted, "")
	}
}

func TestNoQuota(t *testing.T) {
	t.Parallel()
	p := start(t, quota(0))
	for range 3 {
		a := p.post("/events", p.ingestKey, view(""))
		a.expect(t, http.StatusAccepted, "")
		if a.header.Get("RateLimit") != "" {
			t.Errorf("headers of a quota that there is not: %v", a.header)
		}
	}
}

func TestQuotaWithRedisDownAndWiped(t *testing.T) {
	t.Parallel()
	redis := redistest.StartServer(t)
	p := start(t, quota(1000), func(cfg *ingest.Config) { cfg.Redis = redis.Config() })
	fill(t, p)
	batch := bulk(strings.Split(strings.Repeat(view("")+"\n", 399)+view(""), "\n")...)
	redis.FlushAll() // forgets what was used; this process does not
	p.post("/events/bulk", p.ingestKey, batch).expect(t, http.StatusTooManyRequests, "rate_limited")
	redis.Stop() // counted in the process from here on, in the same quota
	p.post("/events/bulk", p.ingestKey, batch).expect(t, http.StatusTooManyRequests, "rate_limited")
	p.post("/events", p.apiKey("ingest"), view("")).expect(t, http.StatusAccepted, "") // another caller has its own
}
