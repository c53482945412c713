package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
	p.post("/events/bulk", p.ingestKey, refused, "Content-Type", "application/x-ndjson").expect(t, http.StatusAccepted, "")
	p.post("/events/bulk", p.ingestKey, refused, "Content-Type", "application/x-ndjson").expect(t, http.StatusTooManyRequests, "rate_limited")
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
	redis.FlushAll() // forgets what was used: the quota starts again, and nothing fails
	fill(t, p)
	redis.Stop() // counted in the process from here on
	fill(t, p)
}
