package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// errNotStored says that a flush cannot be stored as it is: a product has changed, users were erased, or an event may have been
// moved to the time of its first receipt. The checked insert finds out which.
var errNotStored = errors.New("a product has changed, users were erased, or an event with a ts within the times of the flush is counted at another time")

// storeNewEvents stores a flush, or nothing if one of the keys is already there or if something of it is wrong. The latter is
// errNotStored.
func (s *Store) storeNewEvents(ctx context.Context, f *flush) error {
	f.encodeFacts()
	news := s.seen.earlierOf(f.rows)
	err := s.settled(ctx, f, func() error { return s.insertNewEvents(ctx, f, news) })
	if err == nil {
		s.seen.committed(news)
	}
	return err
}

// shape is which statement stores a flush. Each part of a statement costs a flush 5 to 20 µs even if it has nothing to do, and so do
// arrays of one element. So a single event, and the batch of a single project, are sent as values.
type shape struct{ single, projects, guesses, seen bool }

func (f *flush) shape(news []sighting) shape {
	return shape{single: len(f.rows) == 1, projects: len(f.batches) > 1, guesses: len(f.guesses) > 0, seen: len(news) > 0}
}

// placeholders numbers the parameters of a statement.
type placeholders struct{ n int }

// relation returns the relation sent of the next parameters, which are its columns in turn: arrays of the same length, or the values of
// the only row if it is single. A column is a name and a type. Arrays are unnested in the select list, because in FROM Postgres first writes each of them
// to a tuplestore of its own, row by row.
func (p *placeholders) relation(single bool, columns ...string) string {
	values := make([]string, len(columns))
	for i, column := range columns {
		p.n++
		name, kind, _ := strings.Cut(column, " ")
		if single {
			values[i] = fmt.Sprintf("$%d::%s AS %s", p.n, kind, name)
		} else {
			values[i] = fmt.Sprintf("unnest($%d::%s[]) AS %s", p.n, kind, name)
		}
	}
	return "(SELECT " + strings.Join(values, ", ") + ") AS sent"
}

// insertNew returns the statement that stores events and their batches, and lowers first_seen of users. It stores all events or, if
// something is wrong, none. It is one transaction, and Postgres begins it when it has received all of it: a process that freezes
// while it sends holds no locks. COPY would insert the first rows while it waits for the last ones, and no timeout of Postgres ends
// a COPY whose client is silent. It costs as much CPU as this (BenchmarkStoreEvents). parameters.fill has the values in the order in
// which the text asks for them.
func insertNew(s shape) string {
	p := placeholders{n: 2}
	project, batch := "$1::smallint", "$2::bigint"
	columns := []string{"ts timestamptz", "id uuid", "user_n bigint", "product integer", "name smallint", "properties text"}
	if s.projects {
		p.n, project, batch = 0, "sent.project", "sent.batch"
		columns = append(columns, "project smallint", "batch bigint")
	}
	rows := p.relation(s.single, columns...)
	batches := p.relation(!s.projects, "id bigint", "project smallint", "rows integer",
		"min_ts timestamptz", "max_ts timestamptz", "facts bytea", "epoch bigint")
	// Moved events are rare, and so are erasures. LIMIT makes it one look-up by key for each batch.
	fine := `NOT EXISTS (SELECT FROM ` + batches + ` WHERE ` + movedWithin("sent", "min_ts", "max_ts") + `)
		AND NOT EXISTS (SELECT FROM ` + batches + ` CROSS JOIN LATERAL (` + expired + ` LIMIT 1) AS expired)`
	if s.guesses {
		fine += ` AND NOT EXISTS (SELECT FROM ` + p.relation(s.single, "product integer", "sku text") + ` WHERE NOT ` + unchanged + `)`
	}
	text := `
		WITH fine AS MATERIALIZED (SELECT WHERE ` + fine + `), receipts AS (
			INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts)
			SELECT '` + protocol.KindEvents + `', id, project, rows, min_ts, max_ts, facts FROM fine, ` + batches + `
		)`
	if s.seen {
		text += `, seen AS MATERIALIZED (
			SELECT sent.* FROM fine, ` + p.relation(s.single, "project smallint", "user_n bigint", "ts timestamptz") + `
		), lowered AS (` + lowerFirstSeen + `)`
	}
	return text + `
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT ` + project + `, ts, id, user_n, product, name, properties, ` + batch + `
		FROM fine, ` + rows
}

// statement is a text with the name under which it is prepared, once for each connection.
type statement struct{ name, text string }

// statements are those of all shapes. One row is of one project.
var statements = func() map[shape]statement {
	all := map[shape]statement{}
	for i := range 16 {
		s := shape{single: i&1 != 0, projects: i&2 != 0, guesses: i&4 != 0, seen: i&8 != 0}
		if s.single && s.projects {
			continue
		}
		all[s] = statement{"insert_new_events_" + strconv.Itoa(i), insertNew(s)}
	}
	return all
}()

// insertNewEvents stores a flush with one statement.
func (s *Store) insertNewEvents(ctx context.Context, f *flush, news []sighting) error {
	shape := f.shape(news)
	sent := s.buffers.Get()
	sent.fill(f, news, shape)
	err := s.onConnection(ctx, func(conn *pgx.Conn) error {
		statement, err := conn.Prepare(ctx, statements[shape].name, statements[shape].text)
		if err != nil {
			return fmt.Errorf("prepare the insert: %w", err)
		}
		result := conn.PgConn().ExecPrepared(ctx, statement.Name, sent.values(), []int16{pgtype.BinaryFormatCode}, nil).Read()
		if result.Err == nil && result.CommandTag.RowsAffected() == 0 {
			return errNotStored
		}
		return result.Err
	})
	if err == nil {
		s.buffers.Put(sent) // after a failure pgx may still be reading it
	}
	return err
}
