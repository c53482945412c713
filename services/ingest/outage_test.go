package ingest_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// startOwn starts a service on a Postgres of its own.
func startOwn(t *testing.T, server *dbtest.Server, options ...func(*ingest.Config)) *platform {
	t.Helper()
	db, err := postgres.Open(t.Context(), server.Config(), "", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	redis := redistest.New(t)
	options = append([]func(*ingest.Config){withPostgres(server.Config()), func(cfg *ingest.Config) { cfg.Redis = redis }}, options...)
	return startOn(t, db, options...)
}

// unavailable checks that an answer asks to come again.
func unavailable(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%s: got %d %v with Retry-After %q, want 503", what, a.status, a.object, a.header.Get("Retry-After"))
	}
}

func TestPostgresDown(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	p := startOwn(t, server)
	alice := p.auth.Token(authn.User, aliceID)
	event := `{"id":"` + v7(time.Now()).String() + `","type":"view","sku":"SHOE"}`
	batch := p.post("/events", alice, event).string("batch_id")

	server.Kill()
	unavailable(t, "events", p.post("/events", alice, event))
	unavailable(t, "bulk", p.post("/events/bulk", alice, bulk(event)))
	unavailable(t, "purchases", p.post("/purchases", alice, `{"sku":"SHOE","quantity":1}`))
	unavailable(t, "a purchase with a key", p.post("/purchases", alice, `{"sku":"SHOE","quantity":1}`, "Idempotency-Key", "order-1"))
	unavailable(t, "receipts", p.get("/events/batches/"+batch, alice))
	unavailable(t, "an unknown API key", p.post("/events", p.apiKeyNobodyKnows(), event))
	platformtest.Eventually(t, time.Minute, "the service is not ready", func() bool { // the answer is shared for a second
		return p.get("/ready", "").status == http.StatusServiceUnavailable
	})
	p.get("/health", "").expect(t, http.StatusOK, "")
	p.post("/events", alice, `{`).expect(t, http.StatusBadRequest, "malformed_json")

	server.Restart()
	platformtest.Eventually(t, time.Minute, "the service is ready again", func() bool {
		return p.get("/ready", "").status == http.StatusOK
	})
	if a := p.post("/events", alice, event); a.string("status") != "duplicate" {
		t.Errorf("what was accepted before the crash is now %v", a.object)
	}
}

// apiKeyNobodyKnows returns a key that only a query can tell to be wrong.
func (p *platform) apiKeyNobodyKnows() string { return authn.NewKey() }

func TestRedisDown(t *testing.T) {
	t.Parallel()
	redis := redistest.StartServer(t)
	cfg := redis.Config()
	cfg.Timeout = 250 * time.Millisecond // as in production
	p := start(t, func(c *ingest.Config) { c.Redis = cfg })
	write := func(when string) {
		t.Helper()
		begin := time.Now()
		p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
		p.post("/events/bulk", p.ingestKey, bulk(view(""), view(""))).expectBulk(t, 2, 0)
		p.post("/purchases", p.ingestKey, twoShoes).expect(t, http.StatusCreated, "")
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: three writes took %s", when, took)
		}
		p.get("/ready", "").expect(t, http.StatusOK, "")
	}
	redis.Signal(syscall.SIGSTOP)
	write("Redis hangs")
	redis.Signal(syscall.SIGCONT)
	redis.Kill()
	write("Redis is down")
	if n := p.count(`SELECT count(*) FROM ingest.batches WHERE aggregated_at IS NULL`); n != 6 {
		t.Errorf("%d batches wait for the aggregator, want 6", n)
	}
	platformtest.Eventually(t, time.Minute, "lost wake-ups are counted", func() bool {
		return p.metric("hpa_ingest_wakeups_lost_total") > 0
	})

	redis.Restart()
	client := redistest.Client(t, cfg)
	inspector, queue := asynq.NewInspectorFromRedisClient(client), redistest.Queue(t, client, protocol.BatchReady.Queue)
	platformtest.Eventually(t, time.Minute, "wake-ups are sent again", func() bool {
		p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
		info, err := inspector.GetQueueInfo(queue)
		return err == nil && info.Pending > 0
	})
}

// metric returns the value of a counter without labels.
func (p *platform) metric(name string) float64 {
	p.t.Helper()
	families, err := p.deps.Gatherer.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}
