package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// insertEvents stores a batch and its receipt in one statement, which is one transaction and one round trip. The
// receipt counts what is new; when nothing is, there is nothing to aggregate either. It returns how many are new and, if
// not all of the $9 are, which.
const insertEvents = `
	WITH stored AS (
		INSERT INTO ingest.events (id, ts, product_id, user_id, type, properties, batch_id, received_at)
		SELECT id, ts, product_id, user_id, type, properties, $1, now()
		FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[])
			AS sent (id, ts, product_id, user_id, type, properties)
		ON CONFLICT (ts, id) DO NOTHING
		RETURNING id, ts
	), receipt AS (
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, aggregated_at)
		SELECT $1, $2, count(*), min(ts), max(ts), CASE WHEN count(*) = 0 THEN now() END
		FROM stored
	)
	SELECT count(*), CASE WHEN count(*) < $9 THEN array_agg(id) END, CASE WHEN count(*) < $9 THEN array_agg(ts) END
	FROM stored`

// StoreEvents implements committer.Store.
func (s *Store) StoreEvents(ctx context.Context, batch uuid.UUID, events []event.Event) ([]bool, error) {
	defer s.observe(protocol.KindEvents, len(events), time.Now())
	columns := newEventColumns(events)
	var n int
	var ids []uuid.UUID
	var times []time.Time
	err := s.withPartitions(ctx, columns.ts, func() error {
		return s.pool.QueryRow(ctx, insertEvents, batch, protocol.KindEvents,
			columns.id, columns.ts, columns.product, columns.user, columns.typ, columns.properties, len(events)).
			Scan(&n, &ids, &times)
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("store batch %s of %d events: %w", batch, len(events), err))
	}
	stored := make([]bool, len(events))
	if n == len(events) {
		for i := range stored {
			stored[i] = true
		}
		return stored, nil
	}
	isNew := newIdentities(ids, times)
	for i := range events {
		stored[i] = isNew.take(events[i].Fact)
	}
	return stored, nil
}

// identities are the ids and times of rows that a statement has stored.
type identities map[identity]struct{}

type identity struct {
	id uuid.UUID
	ts int64 // microseconds: a time.Time from the database is not comparable with one of ours
}

func newIdentities(ids []uuid.UUID, times []time.Time) identities {
	all := make(identities, len(ids))
	for i := range ids {
		all[identity{ids[i], times[i].UnixMicro()}] = struct{}{}
	}
	return all
}

// take reports whether the row of f was stored; of several equal ones the first has stored it.
func (all identities) take(f event.Fact) bool {
	key := identity{f.ID, f.TS.UnixMicro()}
	_, found := all[key]
	delete(all, key)
	return found
}

// eventColumns are events as arrays. They are in key order: two transactions that insert the same keys then wait for
// each other in one direction only, and index pages are filled one after the other.
type eventColumns struct {
	id, product [][16]byte // pgx writes these as they are; a uuid.UUID goes through its text
	ts          []time.Time
	user, typ   []string
	properties  [][]byte
}

func newEventColumns(events []event.Event) eventColumns {
	ordered := make([]*event.Event, len(events))
	for i := range events {
		ordered[i] = &events[i]
	}
	slices.SortFunc(ordered, func(a, b *event.Event) int {
		return cmp.Or(a.TS.Compare(b.TS), slices.Compare(a.ID[:], b.ID[:]))
	})
	n := len(events)
	c := eventColumns{
		id: make([][16]byte, n), product: make([][16]byte, n), ts: make([]time.Time, n),
		user: make([]string, n), typ: make([]string, n), properties: make([][]byte, n),
	}
	for i, e := range ordered {
		c.id[i], c.ts[i], c.product[i] = e.ID, e.TS, e.ProductID
		c.user[i], c.typ[i], c.properties[i] = e.UserID, e.Type, e.Properties
	}
	return c
}
