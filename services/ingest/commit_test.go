package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// startBehindProxy starts a service whose database connections can be cut.
func startBehindProxy(t *testing.T) (*platform, *proxy) {
	t.Helper()
	database, redis := dbtest.New(t), redistest.New(t)
	between, cfg := startProxy(t, database.Config())
	p := startOn(t, database.Pool(""), withPostgres(cfg), func(c *ingest.Config) { c.Redis = redis })
	return p, between
}

// TestConnectionCutWhileAnEventIsCommitted loses the answer of Postgres, or the question. The service cannot tell which
// it was: 503, and a retry with the same id settles it.
func TestConnectionCutWhileAnEventIsCommitted(t *testing.T) {
	t.Parallel()
	for name, reaches := range map[string]bool{"after": true, "before": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, between := startBehindProxy(t)
			mark := "cut-" + uuid.NewString() // found in the bytes of the insert, and nowhere else
			event := `{"id":"` + v7(time.Now()).String() + `","type":"view","sku":"SHOE","user_id":"customer-17","properties":{"mark":"` + mark + `"}}`
			p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "") // the statement is prepared from here on

			between.cutAt(mark, reaches)
			unavailable(t, "the first try", p.post("/events", p.ingestKey, event))
			stored := func() int {
				return p.count(`SELECT count(*) FROM ingest.events WHERE properties::jsonb->>'mark' = $1`, mark)
			}
			want := "accepted"
			if reaches {
				want = "duplicate"
				platformtest.Eventually(t, time.Minute, "Postgres commits what it was told", func() bool { return stored() == 1 })
			}
			if a := p.post("/events", p.ingestKey, event); a.string("status") != want {
				t.Errorf("the retry: got %v, want %s", a.object, want)
			}
			if n := stored(); n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
			if n := p.count(`SELECT sum(rows) FROM ingest.batches`); n != 2 {
				t.Errorf("the batches count %d rows, want 2", n)
			}
		})
	}
}

func TestConnectionCutInTheCommitOfAPurchase(t *testing.T) {
	t.Parallel()
	for name, reaches := range map[string]bool{"after": true, "before": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, between := startBehindProxy(t)
			buy := func() answer { return p.post("/purchases", p.ingestKey, twoShoes, "Idempotency-Key", "order-1") }
			p.post("/purchases", p.ingestKey, twoShoes).expect(t, http.StatusCreated, "")

			between.cutAt("order-1", reaches) // the one statement that stores it
			unavailable(t, "the first try", buy())
			if reaches { // or the retry could be first
				platformtest.Eventually(t, time.Minute, "Postgres commits what it was told", func() bool {
					return p.count(`SELECT count(*) FROM ingest.orders`) == 2
				})
			}
			var retry answer
			// Until Postgres has noticed that the connection is gone, the key may be in flight.
			platformtest.Eventually(t, time.Minute, "the retry is answered", func() bool {
				retry = buy()
				return retry.status != http.StatusConflict
			})
			retry.expect(t, http.StatusCreated, "")
			if replayed := retry.header.Get("Idempotency-Replayed") == "true"; replayed != reaches {
				t.Errorf("replayed is %t, the commit reached Postgres is %t", replayed, reaches)
			}
			if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 2 {
				t.Errorf("%d purchases, want 2", n)
			}
		})
	}
}
