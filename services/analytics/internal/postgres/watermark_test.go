package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

const insertBatch = `INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts) VALUES ($1, 'events', 1, now(), now()) RETURNING received_at`

// TestWhatIsNotCommittedYetIsNotComplete has a batch that was received before a snapshot and is committed after it.
func TestWhatIsNotCommittedYetIsNotComplete(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	before := i.meta()
	writer, err := i.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback(context.WithoutCancel(t.Context()))
	id := uuid.New()
	var received time.Time
	if err := writer.QueryRow(t.Context(), insertBatch, id).Scan(&received); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m := i.meta()
		if m.CompleteUntil.After(received) || m.PendingEvents != 0 {
			t.Errorf("received %s, not committed: %+v", received, m)
		}
		if m.CompleteUntil.Before(before.CompleteUntil) {
			t.Errorf("complete until %s, then only until %s", before.CompleteUntil, m.CompleteUntil)
		}
	}
	// Readers do not wait for it each time.
	begin := time.Now()
	for range 20 {
		i.meta()
	}
	if took := time.Since(begin); took > 10*drainTimeout {
		t.Errorf("20 answers took %s beside a writer that is stuck", took)
	}
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 5*time.Second, "it pends", func() bool { return i.meta().PendingEvents == 1 })
	if m := i.meta(); m.CompleteUntil.After(received) {
		t.Errorf("received %s, pending: %+v", received, m)
	}
	i.exec(`UPDATE ingest.batches SET aggregated_at = now() WHERE id = $1`, id)
	platformtest.Eventually(t, 5*time.Second, "it is in the numbers", func() bool { return i.meta().CompleteUntil.After(received) })
}

// seen is what a snapshot said and what was folded in it.
type seen struct {
	until  time.Time
	folded map[uuid.UUID]bool
}

// TestCompleteUntilHoldsWhileManyWrite takes snapshots while batches are written, slowly, and folded at once. Of each
// snapshot it remembers what was folded in it, and holds that in the end against all that was received before.
func TestCompleteUntilHoldsWhileManyWrite(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := pgx.BeginFunc(t.Context(), i.db, func(tx pgx.Tx) error {
					if _, err := tx.Exec(t.Context(), insertBatch, uuid.New()); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), `SELECT pg_sleep($1)`, rand.Float64()/50)
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := i.db.Exec(t.Context(), `UPDATE ingest.batches SET aggregated_at = now() WHERE aggregated_at IS NULL`); err != nil {
				t.Error(err)
			}
		}
	})
	var snapshots []seen
	for ctx.Err() == nil {
		s := seen{folded: map[uuid.UUID]bool{}}
		m, err := i.snapshot(t.Context(), "what is folded", func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), `SELECT id FROM ingest.batches WHERE aggregated_at IS NOT NULL`)
			if err != nil {
				return fmt.Errorf("read: %w", err)
			}
			ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			for _, id := range ids {
				s.folded[id] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if lag := m.AsOf.Sub(m.CompleteUntil); lag > 2*time.Second {
			t.Errorf("complete until %s before the answer", lag)
		}
		s.until = m.CompleteUntil
		snapshots = append(snapshots, s)
	}
	wg.Wait()
	i.hold(snapshots)
}

// hold checks snapshots against all batches there are by now.
func (i *inbox) hold(snapshots []seen) {
	i.t.Helper()
	rows, err := i.db.Query(i.t.Context(), `SELECT id, received_at FROM ingest.batches`)
	if err != nil {
		i.t.Fatal(err)
	}
	received := map[uuid.UUID]time.Time{}
	var id uuid.UUID
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error { received[id] = at; return nil }); err != nil {
		i.t.Fatal(err)
	}
	proven := 0
	for _, s := range snapshots {
		for id, at := range received {
			if !at.Before(s.until) {
				continue
			}
			proven++
			if !s.folded[id] {
				i.t.Fatalf("complete until %s, but a batch of %s is missing", s.until, at)
			}
		}
	}
	if len(snapshots) < 10 || proven < 100 {
		i.t.Errorf("%d snapshots and %d batches before them prove nothing", len(snapshots), proven)
	}
}

// Whoever looks may wait for a Postgres that is silent; those behind leave when their own time is up.
func TestNobodyWaitsLongerThanItsRequest(t *testing.T) {
	t.Parallel()
	w := watermark{turn: make(chan struct{}, 1)}
	w.turn <- struct{}{} // somebody looks
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := w.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
