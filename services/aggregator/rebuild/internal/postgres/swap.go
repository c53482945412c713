package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// lockTimeout bounds one wait for the lock on the rollups, because folds queue behind a swap that waits. It is longer than
// Postgres takes to cancel an autovacuum that holds the table (deadlock_timeout, 1s).
const lockTimeout = 2 * time.Second

// lockNotAvailable is the SQLSTATE of a lock_timeout.
const lockNotAvailable = "55P03"

// ErrBusy means that folds held the rollups for longer than lockTimeout. Nothing was changed; the swap can be tried again.
var ErrBusy = errors.New("folds hold the rollups")

// Swapped describes the replacement of the rollups of a scope.
type Swapped struct {
	Rows          int64         // raw rows counted, the late ones included
	Late          int64         // raw rows that were folded after the snapshot
	Before, After int64         // rollup rows
	Removed       int64         // rollup rows, in all lanes, that differed or were surplus
	Added         int64         // rollup rows that replaced them or were missing
	Locked        time.Duration // how long folds were kept out
}

// Record is what a swap records in its transaction. Each part may be nil.
type Record struct {
	Before func(ctx context.Context, tx pgx.Tx) error            // before the rollups are locked
	After  func(ctx context.Context, tx pgx.Tx, s Swapped) error // when they are replaced
}

// Swap makes the rollups of a scope what the shadow tables hold plus what was folded since the snapshot, and records that, in one
// transaction. rows is the number of raw rows in the shadow tables. Swap notes in changed what it changes.
func (s *Session) Swap(
	ctx context.Context, snapshot *postgres.Snapshot, scope postgres.Scope, rows int64, record Record, changed rollup.Changed,
) (Swapped, error) {
	var done Swapped
	var locked time.Time
	err := platformpostgres.InTx(ctx, s.conn, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := boundWaits(ctx, tx); err != nil {
			return err
		}
		if record.Before != nil {
			if err := record.Before(ctx, tx); err != nil {
				return err
			}
		}
		if err := lockRollups(ctx, tx); err != nil {
			return err
		}
		locked = time.Now()
		late, err := snapshot.Late(ctx, tx, func(deltas *rollup.Deltas) error {
			return postgres.Shadow.Add(ctx, tx, 0, deltas)
		})
		if err != nil {
			return err
		}
		done = Swapped{Rows: rows + late, Late: late}
		// Nothing has analyzed the shadow tables, so Postgres takes them for nearly empty, and would read all of one for each row of a
		// rollup: in nested loops, and in merge joins by the day alone, which all rows have in common. Hash joins use the whole key.
		if _, err := tx.Exec(ctx, `SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off`); err != nil {
			return fmt.Errorf("prepare the comparison: %w", err)
		}
		for _, t := range rollup.Tables {
			if err := replace(ctx, tx, t, scope, &done, changed); err != nil {
				return fmt.Errorf("replace the rows of %s: %w", t.Name, err)
			}
		}
		if err := segment.Derive(ctx, tx, scope.Project.ID, scope.First.Date(), scope.Last.Date()); err != nil {
			return fmt.Errorf("derive segments: %w", err)
		}
		return record.After(ctx, tx, done)
	})
	if !locked.IsZero() {
		done.Locked = time.Since(locked)
	}
	return done, busy(err)
}

// boundWaits bounds the waits of a transaction for folds.
func boundWaits(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, lockTimeout.Milliseconds())); err != nil {
		return fmt.Errorf("bound the wait for folds: %w", err)
	}
	return nil
}

// busy returns ErrBusy in place of the error of a lock that folds held for too long.
func busy(err error) error {
	if _, timeout := platformpostgres.IsCode(err, lockNotAvailable); timeout {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// lockRollups keeps folds out until the end of the transaction. Table locks need nothing from the fold: they cost it
// nothing, and they also stop an aggregator of an older version. A fold that finds the rollups locked waits before it
// writes its first row. Its batches are still pending then, so the swap does not count them as late.
func lockRollups(ctx context.Context, tx pgx.Tx) error {
	if err := postgres.LockSegments(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE `+postgres.Stats.Qualified()+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("lock the rollups: %w", err)
	}
	return nil
}
