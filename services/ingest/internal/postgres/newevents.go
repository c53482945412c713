package postgres

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// copyFrom is from how many rows COPY is used. COPY needs three more round trips than an insert from arrays, and less
// time of Postgres per row. They break even at about this number (BenchmarkStoreEvents).
const copyFrom = 250

// storeNewEvents stores a batch and its receipt, or nothing if one of the keys is already there.
func (s *Store) storeNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	return s.withPartitions(ctx, timesOf(ordered), func() error {
		if len(ordered) < copyFrom {
			return s.insertNewEvents(ctx, batch, ordered)
		}
		return s.copyNewEvents(ctx, batch, ordered)
	})
}

func timesOf(ordered []*event.Event) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, e := range ordered {
			if !yield(e.TS) {
				return
			}
		}
	}
}

// insertNewEvents stores them with one statement.
func (s *Store) insertNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	const insert = `
		WITH stored AS (
			INSERT INTO ingest.events (owner, id, ts, product_id, user_id, type, properties, batch_id)
			SELECT owner, id, ts, product_id, user_id, type, properties, $1
			FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $12::bigint[])
				AS sent (id, ts, product_id, user_id, type, properties, owner)
		)
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
		VALUES ($1, $2, $9, $10, $11)`
	c := newEventColumns(ordered)
	first, last := span(timesOf(ordered))
	_, err := s.pool.Exec(ctx, insert, batch, protocol.KindEvents,
		c.id, c.ts, c.product, c.user, c.typ, c.properties, len(ordered), first, last, c.owner)
	return err
}

// copyNewEvents stores them with COPY.
func (s *Store) copyNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	const rows = `COPY ingest.events (owner, ts, id, product_id, batch_id, user_id, type, properties) FROM STDIN (FORMAT binary)`
	const receipt = `INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts) VALUES ($1, $2, $3, $4, $5)`
	buffer := s.buffers.Get()
	buffer.fill(batch, ordered)
	first, last := span(timesOf(ordered))
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(buffer.data), rows); err != nil {
			return fmt.Errorf("copy rows: %w", err)
		}
		_, err := tx.Exec(ctx, receipt, batch, protocol.KindEvents, len(ordered), first, last)
		return err
	})
	if err == nil {
		s.buffers.Put(buffer) // after a failure pgx may still be reading it
	}
	return err
}

// keyTaken reports whether err says that a row with the same key exists.
func keyTaken(err error) bool {
	_, ok := postgres.IsCode(err, postgres.UniqueViolation)
	return ok
}
