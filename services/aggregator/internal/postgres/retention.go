package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Partition is a week of raw events, from Monday to Sunday in UTC.
type Partition struct {
	Name  string
	Bytes int64 // on disk, indexes included
	Rows  int64 // the planner's estimate; -1 before the first analyze
	// HeldBy are the slugs of the projects whose rows must stay. Those of other projects are deleted a day later.
	HeldBy []string
}

// Expired are the raw events past their retention. Orders and refunds are kept.
type Expired struct {
	// Partitions are held by no project.
	Partitions []Partition
	// Held are the partitions with rows of a pending or failed batch. Those that only imports hold are not among them.
	Held []Partition
	// PendingBatches counts the pending and failed batches with rows before the first day that is kept, and PendingRows all rows of
	// these batches.
	PendingBatches, PendingRows int64
}

// dropLockTimeout bounds how long a drop waits for readers of a partition, because writers queue behind it.
const dropLockTimeout = time.Second

// Expired returns what DropExpired would drop, and what batches hold.
func (s Store) Expired(ctx context.Context, before time.Time) (expired Expired, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		expired, err = expiredBefore(ctx, tx, before, true)
		return err
	})
	return expired, postgres.Classify(err)
}

// DropExpired drops the partitions of the weeks that end before a day and returns them. One with rows of a pending or failed batch, or
// of an import that is not proven, stays for the projects of these, and after a day the rows of the others are deleted from it. It fails
// when a reader holds a partition for longer than dropLockTimeout; the next maintenance run tries again. Then it deletes what
// ingest.event_times has of weeks that were dropped, now or before. When deleting fails, it returns the partitions beside the error,
// and the next run goes on.
func (s Store) DropExpired(ctx context.Context, before time.Time) ([]Partition, error) {
	var expired Expired
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, dropLockTimeout.Milliseconds())); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
		var err error
		if expired, err = expiredBefore(ctx, tx, before, false); err != nil || len(expired.Partitions) == 0 {
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
	return expired.Partitions, postgres.Classify(errors.Join(s.deleteDropped(ctx), s.deleteTimes(ctx, before)))
}

// expiredBefore lists the partitions of the weeks that end before a day. It drops them unless dryRun is set or a project holds them.
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
		SELECT partition, bytes, coalesce((SELECT rows FROM known WHERE relname = partition), -1), unfolded,
			ARRAY(SELECT slug FROM auth.projects WHERE id = ANY (held_by) ORDER BY slug)
		FROM ingest.drop_partitions_before($1::date, $2)`
	rows, err := tx.Query(ctx, drop, before, dryRun)
	if err != nil {
		return Expired{}, fmt.Errorf("drop expired partitions: %w", err)
	}
	var p Partition
	var unfolded bool
	_, err = pgx.ForEachRow(rows, []any{&p.Name, &p.Bytes, &p.Rows, &unfolded, &p.HeldBy}, func() error {
		switch {
		case unfolded:
			e.Held = append(e.Held, p)
		case len(p.HeldBy) == 0:
			e.Partitions = append(e.Partitions, p)
		}
		p.HeldBy = nil
		return nil
	})
	if err != nil {
		return Expired{}, fmt.Errorf("drop expired partitions: %w", err)
	}
	return e, nil
}
