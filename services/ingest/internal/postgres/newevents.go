package postgres

import (
	"bytes"
	"context"
	"errors"
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

// storeNewEvents stores a batch and its receipt, or nothing if one of the keys is already there or a guess is wrong.
func (s *Store) storeNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) (changed wrong, err error) {
	err = s.withPartitions(ctx, timesOf(ordered), func() error {
		if len(ordered) < copyFrom {
			changed, err = s.insertNewEvents(ctx, batch, ordered)
		} else {
			changed, err = s.copyNewEvents(ctx, batch, ordered)
		}
		return err
	})
	return changed, err
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
func (s *Store) insertNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) (changed wrong, err error) {
	const insert = `
		WITH changed AS MATERIALIZED (
			SELECT product_id, sku
			FROM unnest($13::uuid[], $14::text[]) AS sent (product_id, sku)
			WHERE NOT ` + unchanged + `
		), stored AS (
			INSERT INTO ingest.events (owner, id, ts, product_id, user_id, type, properties, batch_id)
			SELECT owner, id, ts, product_id, user_id, type, properties, $1
			FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $12::bigint[])
				AS sent (id, ts, product_id, user_id, type, properties, owner)
			WHERE NOT EXISTS (SELECT FROM changed)
		), receipt AS (
			INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
			SELECT $1, $2, $9, $10, $11
			WHERE NOT EXISTS (SELECT FROM changed)
		)
		SELECT array_agg(product_id), array_agg(sku) FROM changed`
	c, g := newEventColumns(ordered), newGuesses(ordered)
	first, last := span(timesOf(ordered))
	err = s.pool.QueryRow(ctx, insert, batch, protocol.KindEvents,
		c.id, c.ts, c.product, c.user, c.typ, c.properties, len(ordered), first, last, c.owner, g.product, g.sku).
		Scan(&changed.product, &changed.sku)
	return changed, err
}

// errGuess rolls back a transaction whose guesses are wrong.
var errGuess = errors.New("a product has changed")

// copyNewEvents stores them with COPY.
func (s *Store) copyNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) (changed wrong, err error) {
	const rows = `COPY ingest.events (owner, ts, id, product_id, batch_id, user_id, type, properties) FROM STDIN (FORMAT binary)`
	const receipt = `
		WITH changed AS MATERIALIZED (
			SELECT product_id, sku
			FROM unnest($6::uuid[], $7::text[]) AS sent (product_id, sku)
			WHERE NOT ` + unchanged + `
		), receipt AS (
			INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts) VALUES ($1, $2, $3, $4, $5)
		)
		SELECT array_agg(product_id), array_agg(sku) FROM changed`
	buffer := s.buffers.Get()
	buffer.fill(batch, ordered)
	first, last := span(timesOf(ordered))
	g := newGuesses(ordered)
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(buffer.data), rows); err != nil {
			return fmt.Errorf("copy rows: %w", err)
		}
		err := tx.QueryRow(ctx, receipt, batch, protocol.KindEvents, len(ordered), first, last, g.product, g.sku).
			Scan(&changed.product, &changed.sku)
		if err == nil && len(changed.product) > 0 {
			return errGuess
		}
		return err
	})
	if errors.Is(err, errGuess) {
		err = nil
	}
	if err == nil {
		s.buffers.Put(buffer) // after a failure pgx may still be reading it
	}
	return changed, err
}

// keyTaken reports whether err says that a row with the same key exists.
func keyTaken(err error) bool {
	_, ok := postgres.IsCode(err, postgres.UniqueViolation)
	return ok
}
