package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// storeNewEvents stores a flush, or nothing if one of the keys is already there or if something of it is wrong. The latter is a
// BlockedError.
func (s *Store) storeNewEvents(ctx context.Context, f *flush, events []event.Event) error {
	f.encodeFacts()
	news := s.seen.earlier(f.seen)
	var found wrong
	err := s.settled(ctx, f, func() (err error) {
		found, err = s.insertNewEvents(ctx, f, news)
		return err
	})
	if err == nil {
		err = found.obstacles(events)
	}
	if err == nil {
		s.seen.committed(news)
	}
	return err
}

// insertNew stores events and their batches, and lowers first_seen of users. It is one transaction, and Postgres begins it when it
// has received all of it: a process that freezes while it sends holds no locks. COPY would insert the first rows while it waits
// for the last ones, and no timeout of Postgres ends a COPY whose client is silent. It costs as much CPU as this
// (BenchmarkStoreEvents).
var insertNew = `
	WITH changed AS MATERIALIZED (
		SELECT product, sku
		FROM unnest($16::integer[], $17::text[]) AS sent (product, sku)
		WHERE NOT ` + unchanged + `
	), clamped AS MATERIALIZED (` + clampedBefore("unnest($11::smallint[], $13::timestamptz[], $14::timestamptz[])", "$2", "$3") + `
	), fine AS MATERIALIZED (
		SELECT WHERE NOT EXISTS (SELECT FROM changed) AND NOT EXISTS (SELECT FROM clamped)
	), stored AS (
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT sent.*
		FROM fine, unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::integer[], $6::smallint[], $7::jsonb[], $8::bigint[]) AS sent
	), receipts AS (
		INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts)
		SELECT $9::text, sent.*
		FROM fine, unnest($10::bigint[], $11::smallint[], $12::integer[], $13::timestamptz[], $14::timestamptz[], $15::bytea[]) AS sent
	), seen AS MATERIALIZED (
		SELECT sent.*
		FROM fine, unnest($18::smallint[], $19::bigint[], $20::timestamptz[]) AS sent (project, user_n, ts)
	), lowered AS (` + lowerFirstSeen + `)
	SELECT (SELECT array_agg(product) FROM changed), (SELECT array_agg(sku) FROM changed),
	       array_agg(project), array_agg(ts_sent), array_agg(id), array_agg(ts)
	FROM clamped`

// insertNewEvents stores a flush with one statement.
func (s *Store) insertNewEvents(ctx context.Context, f *flush, news []sighting) (found wrong, err error) {
	sent := s.buffers.Get()
	sent.fill(f, news)
	err = s.onConnection(ctx, func(conn *pgx.Conn) error {
		statement, err := conn.Prepare(ctx, "insert_new_events", insertNew) // once for each connection
		if err != nil {
			return fmt.Errorf("prepare the insert: %w", err)
		}
		binary := []int16{pgtype.BinaryFormatCode}
		result := conn.PgConn().ExecPrepared(ctx, statement.Name, sent.values(), binary, binary).Read()
		if result.Err != nil {
			return result.Err
		}
		return found.scan(conn.TypeMap(), result.Rows[0])
	})
	if err == nil {
		s.buffers.Put(sent) // after a failure pgx may still be reading it
	}
	return found, err
}

// scan reads what a statement returns in the binary format. Each value is NULL if there is nothing wrong.
func (w *wrong) scan(types *pgtype.Map, row [][]byte) error {
	var c clampedColumns
	for i, column := range []struct {
		oid uint32
		to  any
	}{
		{pgtype.Int4ArrayOID, &w.product},
		{pgtype.TextArrayOID, &w.sku},
		{pgtype.Int2ArrayOID, &c.project},
		{pgtype.TimestamptzArrayOID, &c.sent},
		{pgtype.UUIDArrayOID, &c.id},
		{pgtype.TimestamptzArrayOID, &c.ts},
	} {
		if row[i] == nil {
			continue
		}
		if err := types.Scan(column.oid, pgtype.BinaryFormatCode, row[i], column.to); err != nil {
			return fmt.Errorf("read what kept events from being stored: %w", err)
		}
	}
	w.clamped = c.rows()
	return nil
}
