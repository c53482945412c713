package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Partition is a day of raw rows.
type Partition struct {
	Name  string
	Bytes int64 // on disk, indexes included
	Rows  int64 // an estimate; -1 where Postgres has not looked yet
}

// Expired is what is older than raw rows are kept.
type Expired struct {
	Partitions []Partition
	// PendingBatches are batches with rows of those days that are not folded yet, and PendingRows all rows of these
	// batches. While there are any, nothing is dropped.
	PendingBatches, PendingRows int64
}

// dropPatience bounds how long a drop waits for readers of the partition: while it waits, writers wait behind it.
const dropPatience = time.Second

// Expired returns what DropExpired would drop, and what keeps it from that.
func (s Store) Expired(ctx context.Context, before time.Time) (expired Expired, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		expired, err = expiredBefore(ctx, tx, before, true)
		return err
	})
	return expired, postgres.Classify(err)
}

// DropExpired drops the partitions of the days before one and returns what it dropped. Nothing is dropped as long as a
// batch with rows of those days is not folded, nor while somebody reads them for long: the next time will do.
func (s Store) DropExpired(ctx context.Context, before time.Time) ([]Partition, error) {
	var expired Expired
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, dropPatience.Milliseconds())); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
		var err error
		if expired, err = expiredBefore(ctx, tx, before, false); err != nil || expired.PendingBatches > 0 {
			return err
		}
		return nothingCameIn(ctx, tx, before)
	})
	if err != nil || expired.PendingBatches > 0 {
		return nil, postgres.Classify(err)
	}
	return expired.Partitions, nil
}

// nothingCameIn looks for pending batches again, now that the partitions are locked: the drop has waited for whoever was
// writing into them, and what was committed meanwhile must not go before it is folded.
func nothingCameIn(ctx context.Context, tx pgx.Tx, before time.Time) error {
	var came bool
	const query = `SELECT EXISTS (SELECT FROM ingest.batches WHERE aggregated_at IS NULL AND min_ts < $1::date)`
	if err := tx.QueryRow(ctx, query, before).Scan(&came); err != nil {
		return fmt.Errorf("look for pending batches again: %w", err)
	}
	if came {
		return errs.New(errs.Unavailable, "rows_came_in", "Rows came in for an expired day while its partition was being dropped. It stays until they are folded.")
	}
	return nil
}

// expiredBefore lists the partitions of the days before one, and drops them unless dryRun or pending batches forbid it.
func expiredBefore(ctx context.Context, tx pgx.Tx, before time.Time, dryRun bool) (e Expired, err error) {
	const pending = `SELECT count(*), coalesce(sum(rows), 0)::bigint FROM ingest.batches WHERE aggregated_at IS NULL AND min_ts < $1::date`
	if err := tx.QueryRow(ctx, pending, before).Scan(&e.PendingBatches, &e.PendingRows); err != nil {
		return Expired{}, fmt.Errorf("look for pending batches: %w", err)
	}
	// The estimates are read before the partitions are gone.
	const drop = `
		WITH known AS MATERIALIZED (
			SELECT c.relname, c.reltuples::bigint AS rows
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent IN ('ingest.events'::regclass, 'ingest.purchases'::regclass)
		)
		SELECT partition, bytes, coalesce((SELECT rows FROM known WHERE relname = partition), -1)
		FROM ingest.drop_partitions_before($1::date, $2)`
	rows, err := tx.Query(ctx, drop, before, dryRun || e.PendingBatches > 0)
	if err != nil {
		return Expired{}, fmt.Errorf("drop expired partitions: %w", err)
	}
	if e.Partitions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Partition]); err != nil {
		return Expired{}, fmt.Errorf("drop expired partitions: %w", err)
	}
	return e, nil
}
