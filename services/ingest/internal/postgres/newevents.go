package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// errNearClamped says that an event of a flush may have been clamped when it was received before.
var errNearClamped = errors.New("a clamped event has a ts within the times of the flush")

// storeNewEvents stores a flush, or nothing if one of the keys is already there or if something of it is wrong. The latter is a
// BlockedError or errNearClamped.
func (s *Store) storeNewEvents(ctx context.Context, f *flush, events []event.Event) error {
	f.encodeFacts()
	news := s.seen.earlierOf(f.rows)
	var found wrong
	err := s.settled(ctx, f, func() (err error) {
		found, err = s.insertNewEvents(ctx, f, news)
		return err
	})
	if err == nil && found.near {
		return errNearClamped
	}
	if err == nil {
		err = found.obstacles(events)
	}
	if err == nil {
		s.seen.committed(news)
	}
	return err
}

// shape is which parts the statement of a flush needs. A part costs a single event some 20 µs even if it has nothing to do.
type shape struct{ projects, guesses, seen bool }

// insertNew returns the statement that stores events and their batches, and lowers first_seen of users. It is one transaction, and
// Postgres begins it when it has received all of it: a process that freezes while it sends holds no locks. COPY would insert the
// first rows while it waits for the last ones, and no timeout of Postgres ends a COPY whose client is silent. It costs as much CPU
// as this (BenchmarkStoreEvents). parameters.fill has the values in the order in which the text asks for them.
func insertNew(s shape) string {
	n := 0
	next := func(kind string) string {
		n++
		return "$" + strconv.Itoa(n) + "::" + kind
	}
	project, batch, more := next("smallint"), next("bigint"), ""
	if s.projects {
		n = 0
		more = ", " + next("smallint[]") + ", " + next("bigint[]")
		project, batch = "sent.project", "sent.batch"
	}
	times, ids := next("timestamptz[]"), next("uuid[]")
	rows := times + ", " + ids + ", " + next("bigint[]") + ", " + next("integer[]") + ", " + next("smallint[]") + ", " + next("jsonb[]") + more
	columns := "ts, id, user_n, product, name, properties"
	if s.projects {
		columns += ", project, batch"
	}
	kind, batchIDs, projects := next("text"), next("bigint[]"), next("smallint[]")
	counts, first, last, facts := next("integer[]"), next("timestamptz[]"), next("timestamptz[]"), next("bytea[]")
	// Events that were clamped before are rare. The checked insert finds out which they are.
	near := `c.project = $1 AND c.ts_sent BETWEEN (` + first + `)[1] AND (` + last + `)[1]`
	if s.projects {
		near = `EXISTS (SELECT FROM unnest(` + projects + `, ` + first + `, ` + last + `) AS span (project, first_ts, last_ts)
			WHERE c.project = span.project AND c.ts_sent BETWEEN span.first_ts AND span.last_ts)`
	}
	text := `
		WITH clamped AS MATERIALIZED (SELECT FROM ingest.clamped_events AS c WHERE ` + near + ` LIMIT 1)`
	fine, wrong := `NOT EXISTS (SELECT FROM clamped)`, `NULL::integer[], NULL::text[]`
	if s.guesses {
		text += `, changed AS MATERIALIZED (
			SELECT product, sku
			FROM unnest(` + next("integer[]") + `, ` + next("text[]") + `) AS sent (product, sku)
			WHERE NOT ` + unchanged + `)`
		fine += ` AND NOT EXISTS (SELECT FROM changed)`
		wrong = `(SELECT array_agg(product) FROM changed), (SELECT array_agg(sku) FROM changed)`
	}
	text += `, stored AS (
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT ` + project + `, ts, id, user_n, product, name, properties, ` + batch + `
		FROM unnest(` + rows + `) AS sent (` + columns + `)
		WHERE ` + fine + `
	), receipts AS (
		INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts)
		SELECT ` + kind + `, sent.*
		FROM unnest(` + batchIDs + `, ` + projects + `, ` + counts + `, ` + first + `, ` + last + `, ` + facts + `) AS sent
		WHERE ` + fine + `)`
	if s.seen {
		text += `, seen AS MATERIALIZED (
			SELECT sent.*
			FROM unnest(` + next("smallint[]") + `, ` + next("bigint[]") + `, ` + next("timestamptz[]") + `) AS sent (project, user_n, ts)
			WHERE ` + fine + `
		), lowered AS (` + lowerFirstSeen + `)`
	}
	return text + `
		SELECT EXISTS (SELECT FROM clamped), ` + wrong
}

// statement is a text with the name under which it is prepared, once for each connection.
type statement struct{ name, text string }

// statements are those of all shapes.
var statements = func() map[shape]statement {
	all := map[shape]statement{}
	for i := range 8 {
		s := shape{projects: i&1 != 0, guesses: i&2 != 0, seen: i&4 != 0}
		all[s] = statement{"insert_new_events_" + strconv.Itoa(i), insertNew(s)}
	}
	return all
}()

// insertNewEvents stores a flush with one statement.
func (s *Store) insertNewEvents(ctx context.Context, f *flush, news []sighting) (found wrong, err error) {
	shape := shape{projects: len(f.batches) > 1, guesses: len(f.guesses) > 0, seen: len(news) > 0}
	sent := s.buffers.Get()
	sent.fill(f, news, shape)
	err = s.onConnection(ctx, func(conn *pgx.Conn) error {
		statement, err := conn.Prepare(ctx, statements[shape].name, statements[shape].text)
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

// scan reads what the statement returns in the binary format. The arrays are NULL if there is nothing wrong.
func (w *wrong) scan(types *pgtype.Map, row [][]byte) error {
	w.near = row[0][0] != 0
	if row[1] == nil {
		return nil
	}
	err := types.Scan(pgtype.Int4ArrayOID, pgtype.BinaryFormatCode, row[1], &w.product)
	if err == nil {
		err = types.Scan(pgtype.TextArrayOID, pgtype.BinaryFormatCode, row[2], &w.sku)
	}
	if err != nil {
		return fmt.Errorf("read the changed products: %w", err)
	}
	return nil
}
