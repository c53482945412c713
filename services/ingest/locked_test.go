package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// held returns an event that an open transaction has written, and what ends the transaction.
func (p *platform) held() (event string, free func()) {
	p.t.Helper()
	id, ts := uuid.New(), time.Now().UTC().Truncate(time.Microsecond)
	p.exec(`SELECT ingest.ensure_partitions(current_date - 1, current_date + 1)`)
	tx, err := p.db.Begin(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = tx.Rollback(context.Background()) })                 // it may be over
	p.post("/events", p.ingestKey, view("")).expect(p.t, http.StatusAccepted, "") // makes the user and the name
	if _, err := tx.Exec(p.t.Context(), `INSERT INTO ingest.events (project, ts, id, user_n, product, name, batch)
		SELECT 1, $1, $2, u.n, p.n, 1, 1 FROM ingest.users AS u, catalog.products AS p WHERE u.id = 'customer-17' AND p.id = $3`, ts, id, shoeID); err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf(`{"id":%q,"ts":%q,"type":"view","sku":"SHOE","user_id":"customer-17"}`, id, ts.Format(time.RFC3339Nano)), func() {
		p.t.Helper()
		if err := tx.Rollback(p.t.Context()); err != nil {
			p.t.Fatalf("the transaction was not open any more: %v", err)
		}
	}
}

// TestLockedRowsHoldUpNobodyElse keeps a transaction open that has written an event, as one does whose commit waits for a standby. The
// same event sent again is refused. All others, which wait for the same writer, are stored while the transaction is open.
func TestLockedRowsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	p := start(t)
	held, free := p.held()
	// The first one makes the others wait, so that they share a transaction in which the event is contained again.
	var sending sync.WaitGroup
	send := func(body string, want int) {
		sending.Go(func() {
			a, err := p.try(http.MethodPost, "/events", p.ingestKey, []byte(body))
			if err != nil || a.status != want {
				t.Errorf("%s: %d %v, %v; want %d", body, a.status, a.object, err, want)
			}
		})
	}
	for range 3 {
		send(held, http.StatusServiceUnavailable)
		for range 10 {
			send(view(""), http.StatusAccepted)
		}
	}
	sending.Wait()
	free()
	p.post("/events", p.ingestKey, held).expect(t, http.StatusAccepted, "")
}

// What is refused with 503 takes nothing of the quotas of the caller and of the project, so a client that tries again until it
// succeeds is charged once.
func TestRetriesAreChargedOnce(t *testing.T) {
	t.Parallel()
	p := start(t, quota(1300), func(cfg *ingest.Config) { cfg.LockTimeout = 100 * time.Millisecond })
	p.exec(`UPDATE auth.projects SET events_per_second = 1 WHERE id = 1`) // with a burst of 1,280
	held, free := p.held()
	batch := bulk(append(slices.Repeat([]string{view("")}, 399), held)...)
	for range 4 {
		a := p.post("/events/bulk", p.ingestKey, batch)
		a.expect(t, http.StatusServiceUnavailable, "database_unavailable")
		if a.header.Get("RateLimit") != "" {
			t.Errorf("a request that is not charged describes quotas: %v", a.header)
		}
	}
	free()
	p.post("/events/bulk", p.ingestKey, batch).expectBulk(t, 400, 0)
	p.post("/events/bulk", p.ingestKey, bulk(slices.Repeat([]string{view("")}, 800)...)).expectBulk(t, 800, 0)
	p.post("/events/bulk", p.ingestKey, bulk(slices.Repeat([]string{view("")}, 400)...)).expect(t, http.StatusTooManyRequests, "rate_limited")
}
