package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Partition is a week of raw events, from Monday to Sunday in UTC.
type Partition struct {
	Name  string
	Bytes int64 // on disk, indexes included
	Rows  int64 // the planner's estimate; -1 before the first analyze
}

// Expired are the raw events past their retention. Orders and refunds are kept.
type Expired struct {
	Partitions []Partition
	// PendingBatches counts the pending and failed batches with rows before the first day that is kept, and PendingRows all rows of these
	// batches. While there are any, nothing is dropped.
	PendingBatches, PendingRows int64
}

// dropLockTimeout bounds how long a drop waits for readers of a partition, because writers queue behind it.
const dropLockTimeout = time.Second

// Expired returns what DropExpired would drop, and the pending batches that prevent it.
func (s Store) Expired(ctx context.Context, before time.Time) (expired Expired, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		expired, err = expiredBefore(ctx, tx, before, true)
		return err
	})
	return expired, postgres.Classify(err)
}

// DropExpired drops the partitions of the weeks that end before a day and returns them. It drops nothing while a batch with rows of
// those days is pending or failed. It fails when a reader holds a partition for longer than dropLockTimeout; the next maintenance run
// tries again. Then it deletes what ingest.event_times has of days that were dropped, now or before; when that fails, it returns the
// partitions beside the error, and the next run goes on.
func (s Store) DropExpired(ctx context.Context, before time.Time) ([]Partition, error) {
	var expired Expired
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, dropLockTimeout.Milliseconds())); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
		var err error
		if expired, err = expiredBefore(ctx, tx, before, false); err != nil || expired.PendingBatches > 0 {
			return err
		}
		if err := checkNothingPending(ctx, tx, before); err != nil || len(expired.Partitions) == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Action: retentionApplied, Subject: "events", Actor: audit.CommandOr(ctx, "aggregator"),
			Details: audit.Details{"before": before.Format(time.DateOnly), "partitions": len(expired.Partitions)},
		})
	})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	if expired.PendingBatches > 0 {
		expired.Partitions = nil
	}
	return expired.Partitions, postgres.Classify(s.deleteTimes(ctx, before))
}

// checkNothingPending looks for pending batches again, now that the partitions are locked. The drop waited for the writers
// of these partitions, and rows that they committed must be folded before they are dropped.
func checkNothingPending(ctx context.Context, tx pgx.Tx, before time.Time) error {
	var pending bool
	const query = `SELECT EXISTS (SELECT FROM ingest.unfolded_batches WHERE kind = 'events' AND min_ts < $1::date)`
	if err := tx.QueryRow(ctx, query, before).Scan(&pending); err != nil {
		return fmt.Errorf("look for pending batches again: %w", err)
	}
	if pending {
		return errs.New(errs.Unavailable, "rows_came_in", "Rows came in for an expired day while its partition was being dropped. It stays until they are folded.")
	}
	return nil
}

// expiredBefore lists the partitions of the weeks that end before a day. It drops them unless dryRun is set or batches are pending.
func expiredBefore(ctx context.Context, tx pgx.Tx, before time.Time, dryRun bool) (e Expired, err error) {
	const pending = `SELECT count(*), coalesce(sum(rows), 0)::bigint FROM ingest.unfolded_batches WHERE kind = 'events' AND min_ts < $1::date`
	if err := tx.QueryRow(ctx, pending, before).Scan(&e.PendingBatches, &e.PendingRows); err != nil {
		return Expired{}, fmt.Errorf("look for pending batches: %w", err)
	}
	// The estimates are read first, because a dropped partition has none.
	const drop = `
		WITH known AS MATERIALIZED (
			SELECT c.relname, c.reltuples::bigint AS rows
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'ingest.events'::regclass
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
