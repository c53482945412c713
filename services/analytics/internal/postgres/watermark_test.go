package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

const insertBatch = `INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts) VALUES (nextval('ingest.batch_ids'), 1, 'events', 1, now(), now()) RETURNING id, received_at`

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
	var id int64
	var received time.Time
	if err := writer.QueryRow(t.Context(), insertBatch).Scan(&id, &received); err != nil {
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

// seen is the watermark of a snapshot and what was folded in it.
type seen struct {
	until  time.Time
	folded map[int64]bool
}

// TestCompleteUntilHoldsWhileManyWrite takes snapshots while batches are written slowly and folded at once. It remembers what
// was folded in each snapshot, and compares that at the end with all batches that were received before its watermark. While
// writers come and go the watermark must advance and never go back.
func TestCompleteUntilHoldsWhileManyWrite(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // a slow machine needs more than the two seconds below
	defer stop()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := pgx.BeginFunc(t.Context(), i.db, func(tx pgx.Tx) error {
					if _, err := tx.Exec(t.Context(), insertBatch); err != nil {
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
	begin, advanced := time.Now(), 0
	for ctx.Err() == nil && (time.Since(begin) < 2*time.Second || advanced < 5) {
		s := seen{folded: map[int64]bool{}}
		m, err := i.snapshot(t.Context(), 1, "what is folded", func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), `SELECT id FROM ingest.batches WHERE aggregated_at IS NOT NULL`)
			if err != nil {
				return fmt.Errorf("read: %w", err)
			}
			ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			for _, id := range ids {
				s.folded[id] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.until = m.CompleteUntil
		if len(snapshots) > 0 {
			switch before := snapshots[len(snapshots)-1].until; s.until.Compare(before) {
			case 1:
				advanced++
			case -1:
				t.Errorf("complete until %s, after %s", s.until, before)
			}
		}
		snapshots = append(snapshots, s)
	}
	stop()
	wg.Wait()
	if advanced < 5 {
		t.Errorf("the watermark advanced %d times in %s", advanced, time.Since(begin))
	}
	i.hold(snapshots)
}

// hold compares snapshots with all batches that exist at the end.
func (i *inbox) hold(snapshots []seen) {
	i.t.Helper()
	rows, err := i.db.Query(i.t.Context(), `SELECT id, received_at FROM ingest.batches`)
	if err != nil {
		i.t.Fatal(err)
	}
	received := map[int64]time.Time{}
	var id int64
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

// While one request waits for a Postgres that does not answer, the others give up at their own deadlines.
func TestNobodyWaitsLongerThanItsRequest(t *testing.T) {
	t.Parallel()
	w := watermark{turn: make(chan struct{}, 1)}
	w.turn <- struct{}{} // another request is determining the watermark
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := w.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
