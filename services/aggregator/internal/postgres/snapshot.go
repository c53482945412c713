package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Snapshot is one transaction's view of the raw rows of a scope. It tells batches that were folded when it was taken from batches
// that were folded later.
type Snapshot struct {
	tx      pgx.Tx
	scope   Scope
	since   time.Time // batches received before this are visible to the snapshot
	xmin    string    // all transactions with a lower id had ended
	pending []batch   // pending and failed batches with rows of the scope
}

// slowestWrite bounds the time from received_at of a batch to the commit of its transaction, stalled processes included. A
// batch that was received longer before a snapshot counts as visible to it, so one that took longer to commit would be
// missed.
const slowestWrite = 24 * time.Hour

// incomplete is the condition that raw events of the project $3 from $1 up to, but not including, $2 were dropped.
const incomplete = `EXISTS (
	SELECT FROM ingest.dropped_days
	WHERE project = $3 AND (day + 1)::timestamp AT TIME ZONE 'UTC' > $1::timestamptz AND day::timestamp AT TIME ZONE 'UTC' < $2::timestamptz)`

// HasAllRows reports whether no raw events of a scope were dropped. A local day can be part of two UTC days.
func HasAllRows(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, scope Scope) (ok bool, err error) {
	err = db.QueryRow(ctx, `SELECT NOT `+incomplete, scope.from, scope.to, scope.Project.ID).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("look for raw rows: %w", err)
	}
	return ok, nil
}

// TakeSnapshot makes tx a snapshot of a scope. tx must be repeatable read and must not have run a query yet. No partition can be
// dropped until tx ends. ok is false when raw events of the scope were dropped.
func TakeSnapshot(ctx context.Context, tx pgx.Tx, scope Scope) (s *Snapshot, ok bool, err error) {
	// LOCK TABLE takes no snapshot. The next statement does, and every partition that it sees is already locked against a drop.
	if _, err := tx.Exec(ctx, `LOCK TABLE ingest.events IN ACCESS SHARE MODE`); err != nil {
		return nil, false, fmt.Errorf("keep partitions: %w", err)
	}
	s = &Snapshot{tx: tx, scope: scope}
	const moment = `SELECT now() - $4::interval, pg_snapshot_xmin(pg_current_snapshot())::text, NOT ` + incomplete
	if err := tx.QueryRow(ctx, moment, scope.from, scope.to, scope.Project.ID, slowestWrite).Scan(&s.since, &s.xmin, &ok); err != nil {
		return nil, false, fmt.Errorf("take a snapshot: %w", err)
	}
	const pending = `
		SELECT ` + batchColumnsAlone + `
		FROM ingest.unfolded_batches
		WHERE project = $1 AND min_ts < $3 AND max_ts >= $2`
	s.pending, err = collectBatches(ctx, tx, pending, scope.Project.ID, scope.from, scope.to)
	if err != nil {
		return nil, false, fmt.Errorf("list pending batches: %w", err)
	}
	return s, ok, nil
}

// notPending leaves out the rows of pending and failed batches. A batch without a receipt was folded: only receipts of folded
// batches are pruned.
const notPending = `NOT EXISTS (SELECT FROM ingest.unfolded_batches b WHERE b.project = raw.project AND b.id = raw.batch)`

// Count counts the rows of the scope whose batches were folded, and returns their number. It passes the deltas to flush
// whenever they have grown to budget bytes, and at the end.
func (s *Snapshot) Count(ctx context.Context, budget int, flush func(*rollup.Deltas) error) (total int64, err error) {
	deltas := rollup.New()
	clock := rollup.NewClock(s.scope.Project.Zones)
	for _, raw := range rawTables {
		rows, err := s.tx.Query(ctx, raw.query+notPending, s.scope.Project.ID, s.scope.from, s.scope.to)
		if err != nil {
			return 0, fmt.Errorf("count %s: %w", raw.kind, err)
		}
		var row rawRow
		tag, err := pgx.ForEachRow(rows, raw.fields(&row), func() error {
			raw.add(deltas, s.scope.Project.ID, clock, &row)
			if deltas.Bytes() < budget {
				return nil
			}
			full := deltas
			deltas = rollup.New()
			return flush(full)
		})
		if err != nil {
			return 0, fmt.Errorf("count %s: %w", raw.kind, err)
		}
		total += tag.RowsAffected()
	}
	return total, flush(deltas)
}
