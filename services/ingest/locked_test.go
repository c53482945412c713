package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestLockedRowsHoldUpNobodyElse keeps a transaction open that has written an event, as one does whose commit waits for a standby. The
// same event sent again is refused. All others, which wait for the same writer, are stored while the transaction is open.
func TestLockedRowsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	p := start(t)
	id, ts := uuid.New(), time.Now().UTC().Truncate(time.Microsecond)
	p.exec(`SELECT ingest.ensure_partitions(current_date - 1, current_date + 1)`)
	tx, err := p.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())                                     // it may be over
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "") // makes the user and the name
	if _, err := tx.Exec(t.Context(), `INSERT INTO ingest.events (project, ts, id, user_n, product, name, batch)
		SELECT 1, $1, $2, u.n, p.n, 1, 1 FROM ingest.users AS u, catalog.products AS p WHERE u.id = 'customer-17' AND p.id = $3`, ts, id, shoeID); err != nil {
		t.Fatal(err)
	}
	held := fmt.Sprintf(`{"id":%q,"ts":%q,"type":"view","sku":"SHOE","user_id":"customer-17"}`, id, ts.Format(time.RFC3339Nano))
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
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatalf("the transaction was not open any more: %v", err)
	}
	p.post("/events", p.ingestKey, held).expect(t, http.StatusAccepted, "")
}
