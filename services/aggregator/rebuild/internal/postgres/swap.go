package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
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

// Swapped describes the replacement of the rollups of a day.
type Swapped struct {
	Rows          int64         // raw rows counted, the late ones included
	Late          int64         // raw rows that were folded after the snapshot
	Before, After int64         // rollup rows
	Removed       int64         // rollup rows that differed, were surplus, or were in a lane other than 0
	Added         int64         // rollup rows that replaced them or were missing
	Locked        time.Duration // how long folds were kept out
}

// Swap makes the rollups of a day what the shadow tables hold plus what was folded since the snapshot, and records the day,
// in one transaction. rows is the number of raw rows in the shadow tables. Swap calls changed with the product or the user
// of each row that it changes, or with neither for rows of the whole day.
func (s *Session) Swap(
	ctx context.Context, snapshot *postgres.Snapshot, rebuild int64, day time.Time, rows int64, changed func(product, user *string),
) (Swapped, error) {
	var done Swapped
	var locked time.Time
	err := platformpostgres.InTx(ctx, s.conn, pgx.TxOptions{}, func(tx pgx.Tx) error {
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
		for _, t := range tables {
			if err := t.replace(ctx, tx, day, &done, changed); err != nil {
				return fmt.Errorf("replace the rows of %s: %w", t.name, err)
			}
		}
		return recordDay(ctx, tx, rebuild, day, done)
	})
	if _, timeout := platformpostgres.IsCode(err, lockNotAvailable); timeout {
		return Swapped{}, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	done.Locked = time.Since(locked)
	return done, err
}

// lockRollups keeps folds out until the end of the transaction. Table locks need nothing from the fold: they cost it
// nothing, and they also stop an aggregator of an older version. A fold that finds the rollups locked waits before it
// writes its first row. Its batches are still pending then, so the swap does not count them as late.
func lockRollups(ctx context.Context, tx pgx.Tx) error {
	lock := fmt.Sprintf(`SET LOCAL lock_timeout = %d; LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE`, lockTimeout.Milliseconds(), qualified("stats"))
	if _, err := tx.Exec(ctx, lock); err != nil {
		return fmt.Errorf("lock the rollups: %w", err)
	}
	return nil
}

// replace makes the rows of a day those of the shadow table. Rows that are right are not touched.
func (t table) replace(ctx context.Context, tx pgx.Tx, day time.Time, done *Swapped, changed func(product, user *string)) error {
	columns := strings.Join(t.columns(), ", ")
	remove := `
		DELETE FROM stats.` + t.name + ` AS s
		WHERE day = $1 AND NOT EXISTS (SELECT FROM shadow.` + t.name + ` AS n WHERE ` + t.equal("n", "s") + `)
		RETURNING ` + t.subject()
	add := `
		INSERT INTO stats.` + t.name + ` AS s (` + columns + `)
		SELECT ` + columns + ` FROM shadow.` + t.name + ` AS n
		WHERE day = $1 AND NOT EXISTS (SELECT FROM stats.` + t.name + ` AS s WHERE ` + t.equal("s", "n") + `)
		RETURNING ` + t.subject()
	run := func(statement string) (int64, error) {
		rows, err := tx.Query(ctx, statement, day)
		if err != nil {
			return 0, err
		}
		var product, user *string
		tag, err := pgx.ForEachRow(rows, []any{&product, &user}, func() error {
			changed(product, user)
			return nil
		})
		return tag.RowsAffected(), err
	}
	removed, err := run(remove)
	if err != nil {
		return err
	}
	added, err := run(add)
	if err != nil {
		return err
	}
	var after int64
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM shadow.`+t.name).Scan(&after); err != nil {
		return err
	}
	done.Removed, done.Added = done.Removed+removed, done.Added+added
	done.After, done.Before = done.After+after, done.Before+after-added+removed
	return nil
}
