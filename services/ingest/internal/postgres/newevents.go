package postgres

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// storeNewEvents stores a batch and its receipt, or nothing if one of the keys is already there or a guess is wrong.
func (s *Store) storeNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) (changed wrong, err error) {
	err = s.withPartitions(ctx, timesOf(ordered), func() error {
		changed, err = s.insertNewEvents(ctx, batch, ordered)
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

// insertNew stores events and their receipt. It is one transaction, and Postgres begins it when it has received all of it:
// a process that freezes while it sends holds no locks. COPY would insert the first rows while it waits for the last ones,
// and no timeout of Postgres ends a COPY whose client is silent. It costs as much CPU as this (BenchmarkStoreEvents).
const insertNew = `
	WITH changed AS MATERIALIZED (
		SELECT product_id, sku
		FROM unnest($13::uuid[], $14::text[]) AS sent (product_id, sku)
		WHERE NOT ` + unchanged + `
	), stored AS (
		INSERT INTO ingest.events (owner, ts, id, product_id, user_id, type, properties, batch_id)
		SELECT owner, ts, id, product_id, user_id, type, properties, $1::uuid
		FROM unnest($3::bigint[], $4::timestamptz[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::jsonb[])
			AS sent (owner, ts, id, product_id, user_id, type, properties)
		WHERE NOT EXISTS (SELECT FROM changed)
	), receipt AS (
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
		SELECT $1, $2::text, $10::bigint, $11::timestamptz, $12::timestamptz
		WHERE NOT EXISTS (SELECT FROM changed)
	)
	SELECT array_agg(product_id), array_agg(sku) FROM changed`

// insertNewEvents stores them with one statement.
func (s *Store) insertNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) (changed wrong, err error) {
	sent := s.buffers.Get()
	sent.fill(batch, protocol.KindEvents, ordered)
	err = s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		statement, err := conn.Conn().Prepare(ctx, "insert_new_events", insertNew) // once for each connection
		if err != nil {
			return fmt.Errorf("prepare the insert: %w", err)
		}
		binary := []int16{pgtype.BinaryFormatCode}
		result := conn.Conn().PgConn().ExecPrepared(ctx, statement.Name, sent.values(), binary, binary).Read()
		if result.Err != nil {
			return result.Err
		}
		types, row := conn.Conn().TypeMap(), result.Rows[0]
		if err := types.Scan(pgtype.UUIDArrayOID, pgtype.BinaryFormatCode, row[0], &changed.product); err != nil {
			return fmt.Errorf("read the changed products: %w", err)
		}
		if err := types.Scan(pgtype.TextArrayOID, pgtype.BinaryFormatCode, row[1], &changed.sku); err != nil {
			return fmt.Errorf("read the changed products: %w", err)
		}
		return nil
	})
	if err == nil {
		s.buffers.Put(sent) // after a failure pgx may still be reading it
	}
	return changed, err
}

// keyTaken reports whether err says that a row with the same key exists.
func keyTaken(err error) bool {
	_, ok := postgres.IsCode(err, postgres.UniqueViolation)
	return ok
}
