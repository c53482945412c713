package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// insertChecked stores the new ones of some events, their batches, whose facts are those of the new rows, and first_seen of their
// users, in one statement. A batch without a new row is folded from the start. It returns how many are new and, if not all of
// the $16 are, which. If something is wrong, it stores nothing and returns that.
var insertChecked = `
	WITH changed AS MATERIALIZED (
		SELECT product, sku
		FROM unnest($17::integer[], $18::text[]) AS sent (product, sku)
		WHERE NOT ` + unchanged + `
	), moved AS MATERIALIZED (` + movedBefore("unnest($12::smallint[], $13::timestamptz[], $14::timestamptz[])", "$1", "$2", "$3") + `
	), expired AS MATERIALIZED (
		SELECT expired.*
		FROM unnest($12::smallint[], $19::bigint[]) AS sent (project, epoch) CROSS JOIN LATERAL (` + expired + ` LIMIT 1) AS expired
	), fine AS MATERIALIZED (
		SELECT WHERE NOT EXISTS (SELECT FROM changed) AND NOT EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM expired)
	), sent AS MATERIALIZED (
		SELECT sent.*
		FROM fine, unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::integer[], $6::smallint[], $7::text[], $8::bigint[], $9::bytea[])
			AS sent (project, ts, id, user_n, product, name, properties, batch, record)
	), stored AS (
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT project, ts, id, user_n, product, name, properties, batch FROM sent
		ON CONFLICT (project, ts, id) DO NOTHING
		RETURNING project, ts, id, user_n
	), counted AS (
		SELECT project, count(*) AS rows, min(ts) AS min_ts, max(ts) AS max_ts, string_agg(record, '') AS records
		FROM stored JOIN sent USING (project, ts, id)
		GROUP BY project
	), receipts AS (
		INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts, received_at, aggregated_at)
		SELECT $10::text, b.id, b.project, coalesce(c.rows, 0), c.min_ts, c.max_ts, b.header || c.records, moment,
		       CASE WHEN c.rows IS NULL THEN moment END
		FROM fine, (SELECT clock_timestamp() AS moment OFFSET 0) AS clock,
		     unnest($11::bigint[], $12::smallint[], $15::bytea[]) AS b (id, project, header)
		LEFT JOIN counted AS c USING (project)
	), seen AS MATERIALIZED (
		SELECT project, user_n, min(ts) AS ts
		FROM stored
		GROUP BY project, user_n
		ORDER BY project, user_n
	), lowered AS (` + lowerFirstSeen + `)
	SELECT count(*), CASE WHEN count(*) < $16 THEN array_agg(project) END, CASE WHEN count(*) < $16 THEN array_agg(ts) END,
	       CASE WHEN count(*) < $16 THEN array_agg(id) END,
	       (SELECT array_agg(product) FROM changed), (SELECT array_agg(sku) FROM changed),
	       (SELECT array_agg(project) FROM moved), (SELECT array_agg(ts_sent) FROM moved),
	       (SELECT array_agg(id) FROM moved), (SELECT array_agg(ts) FROM moved),
	       (SELECT array_agg(project) FROM expired), (SELECT array_agg(epoch) FROM expired)
	FROM stored`

// storeCheckedEvents stores those of the events that are new, and finds out about the others whether they are the stored ones.
func (s *Store) storeCheckedEvents(ctx context.Context, f *flush, events []event.Event) (committer.Stored, error) {
	c := newEventColumns(f)
	var n int
	var found wrong
	var moved movedColumns
	var projects []int16
	var times []time.Time
	var ids []uuid.UUID
	err := s.settled(ctx, f, func() error {
		return s.onConnection(ctx, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, insertChecked,
				c.project, c.ts, c.id, c.user, c.product, c.name, c.properties, c.batch, c.record,
				protocol.KindEvents, c.batchID, c.batchProject, c.first, c.last, c.header,
				len(c.id), c.guessedProduct, c.guessedSKU, c.epoch).
				Scan(&n, &projects, &times, &ids, &found.product, &found.sku, &moved.project, &moved.sent, &moved.id, &moved.ts,
					&found.project, &found.epoch)
		})
	})
	if err != nil {
		return committer.Stored{}, err
	}
	found.moved = moved.rows()
	if err := found.obstacles(events); err != nil {
		return committer.Stored{}, err
	}
	stored := committer.Stored{Batches: f.byProject(), Statuses: make([]event.Status, len(events))}
	isNew := make(map[identity]struct{}, n)
	if n < len(c.id) {
		for i := range ids {
			isNew[identity{projects[i], times[i].UnixMicro(), ids[i]}] = struct{}{}
		}
	} else {
		for _, e := range f.rows {
			isNew[identityOf(&e.Fact)] = struct{}{}
		}
	}
	var others []int
	for i := range events {
		key := identityOf(&events[i].Fact)
		if _, ok := isNew[key]; !ok {
			others = append(others, i)
			continue
		}
		delete(isNew, key) // the first of several with the same key is the stored one
		stored.Statuses[i] = event.Accepted
	}
	return stored, s.compare(ctx, events, others, stored.Statuses)
}

// compare finds out which of some events are equal to the stored ones with their keys, and which are others. Properties of ours
// are no part of the content. An anonymous user is the same as the person that it belongs to by now, which
// this process may not have learned yet. Of an erased user neither the user nor the properties are left to compare.
func (s *Store) compare(ctx context.Context, events []event.Event, others []int, statuses []event.Status) error {
	if len(others) == 0 {
		return nil
	}
	const query = `
		SELECT sent.n - 1, stored.name = sent.name AND stored.product IS NOT DISTINCT FROM sent.product
			AND (stored.user_n = 0 OR (stored.user_n IN (sent.user_n, sent.anonymous)
					OR EXISTS (SELECT FROM ingest.users AS u WHERE u.project = sent.project AND u.n = sent.anonymous AND u.person = stored.user_n))
				AND coalesce(stored.properties::jsonb - $9::text[], '{}') = coalesce(sent.properties - $9::text[], '{}'))
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::bigint[], $6::integer[], $7::smallint[], $8::jsonb[])
			WITH ORDINALITY AS sent (project, ts, id, user_n, anonymous, product, name, properties, n)
		CROSS JOIN LATERAL (
			SELECT e.user_n, e.product, e.name, e.properties
			FROM ingest.events AS e
			WHERE e.project = sent.project AND e.ts = sent.ts AND e.id = sent.id
			LIMIT 1
		) AS stored`
	f := &flush{rows: make([]*event.Event, len(others)), batchOf: make([]int64, len(others))}
	anonymous := make([]int64, len(others))
	for n, i := range others {
		f.rows[n], anonymous[n] = &events[i], events[i].Anonymous
	}
	c := newRowColumns(f)
	rows, _ := s.pool.Query(ctx, query, c.project, c.ts, c.id, c.user, anonymous, c.product, c.name, c.properties,
		[]string{event.PropertySkew, event.PropertySent}) // ForEachRow returns its error
	var n int
	var same bool
	_, err := pgx.ForEachRow(rows, []any{&n, &same}, func() error {
		statuses[others[n]] = event.Conflicting
		if same {
			statuses[others[n]] = event.Duplicate
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("compare %d events with the stored ones: %w", len(others), err)
	}
	for _, i := range others {
		if statuses[i] == event.Rejected { // its partition was dropped since the insert
			return closedDaysError{projectDay{events[i].Project, dayOf(events[i].TS)}: event.ErrDayDropped}
		}
	}
	return nil
}

// rowColumns are rows as arrays.
type rowColumns struct {
	project    []int16
	ts         []time.Time
	id         [][16]byte // pgx encodes these directly; it converts a uuid.UUID to text first
	user       []int64
	product    []*int32
	name       []int16
	properties [][]byte
	batch      []int64
}

func newRowColumns(f *flush) rowColumns {
	n := len(f.rows)
	c := rowColumns{
		project: make([]int16, 0, n), ts: make([]time.Time, 0, n), id: make([][16]byte, 0, n), user: make([]int64, 0, n),
		product: make([]*int32, 0, n), name: make([]int16, 0, n), properties: make([][]byte, 0, n), batch: make([]int64, 0, n),
	}
	for i, e := range f.rows {
		var product *int32
		if e.Product != 0 {
			product = &e.Product
		}
		c.project, c.ts, c.id, c.user = append(c.project, e.Project), append(c.ts, e.TS), append(c.id, e.ID), append(c.user, e.User)
		c.product, c.name = append(c.product, product), append(c.name, e.Name)
		c.properties, c.batch = append(c.properties, e.Properties), append(c.batch, f.batchOf[i])
	}
	return c
}

// eventColumns are a flush as arrays. Of several rows with the same key only the first is among them.
type eventColumns struct {
	rowColumns

	record         [][]byte
	batchID        []int64
	batchProject   []int16
	epoch          []int64
	first, last    []time.Time
	header         [][]byte
	guessedProduct []int32
	guessedSKU     []string
}

func newEventColumns(f *flush) eventColumns {
	different := &flush{rows: make([]*event.Event, 0, len(f.rows)), batchOf: make([]int64, 0, len(f.rows))}
	for i, e := range f.rows {
		if i == 0 || identityOf(&e.Fact) != identityOf(&f.rows[i-1].Fact) {
			different.rows, different.batchOf = append(different.rows, e), append(different.batchOf, f.batchOf[i])
		}
	}
	c := eventColumns{rowColumns: newRowColumns(different)}
	base := make(map[int16]time.Time, len(f.batches))
	for _, b := range f.batches {
		c.batchID, c.batchProject = append(c.batchID, b.id), append(c.batchProject, b.project)
		c.epoch = append(c.epoch, b.epoch)
		c.first, c.last = append(c.first, b.first), append(c.last, b.last)
		c.header = append(c.header, facts.AppendHeader(nil, b.first))
		base[b.project] = b.first
	}
	for _, e := range different.rows {
		c.record = append(c.record, facts.AppendEvent(nil, base[e.Project], factOf(e)))
	}
	for _, g := range f.guesses {
		c.guessedProduct, c.guessedSKU = append(c.guessedProduct, g.product), append(c.guessedSKU, g.sku)
	}
	return c
}
