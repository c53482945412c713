package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// StoreEvents implements committer.Store. Nearly always all events are new, and an insert without a conflict check costs a
// fifth less. So that one is tried first, and the one with the check after a conflict.
func (s *Store) StoreEvents(ctx context.Context, batch uuid.UUID, events []event.Event) ([]bool, error) {
	defer s.observe(protocol.KindEvents, len(events), time.Now())
	if known := s.dropped.known(); known != nil {
		if blocked := known.blocked(events); blocked != nil {
			return nil, blocked
		}
	}
	stored, err := s.storeEvents(ctx, batch, events)
	if dropped, ok := errors.AsType[droppedDaysError](err); ok {
		return nil, dropped.blocked(events)
	}
	if _, blocked := errors.AsType[event.BlockedError](err); blocked {
		return nil, err
	}
	if err != nil {
		return nil, classify(fmt.Errorf("store batch %s of %d events: %w", batch, len(events), err))
	}
	return stored, nil
}

func (s *Store) storeEvents(ctx context.Context, batch uuid.UUID, events []event.Event) ([]bool, error) {
	ordered := inKeyOrder(events)
	if len(events) > 0 && s.events.assumeNew() {
		changed, err := s.storeNewEvents(ctx, batch, ordered)
		if err == nil {
			return allOf(len(events)), changed.obstacles(events)
		}
		if !keyTaken(err) {
			return nil, err
		}
		s.events.conflicted()
	}
	return s.insertCheckedEvents(ctx, batch, events, ordered)
}

// insertChecked stores the new events of a batch and its receipt in one statement, which is one transaction and one round
// trip. The receipt counts the new ones; a batch without any is aggregated from the start. The statement returns how many
// are new and, if not all of the $9 are, which. If a guess is wrong, it stores nothing and returns the wrong ones.
const insertChecked = `
	WITH changed AS MATERIALIZED (
		SELECT product_id, sku
		FROM unnest($11::uuid[], $12::text[]) AS sent (product_id, sku)
		WHERE NOT ` + unchanged + `
	), stored AS (
		INSERT INTO ingest.events (owner, id, ts, product_id, user_id, type, properties, batch_id)
		SELECT owner, id, ts, product_id, user_id, type, properties, $1
		FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $10::bigint[])
			AS sent (id, ts, product_id, user_id, type, properties, owner)
		WHERE NOT EXISTS (SELECT FROM changed)
		ON CONFLICT (owner, ts, id) DO NOTHING
		RETURNING owner, id, ts
	), receipt AS (
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, received_at, aggregated_at)
		SELECT $1, $2, n, min_ts, max_ts, moment, CASE WHEN n = 0 THEN moment END
		FROM (SELECT count(*) AS n, min(ts) AS min_ts, max(ts) AS max_ts, clock_timestamp() AS moment FROM stored) AS counted
		WHERE NOT EXISTS (SELECT FROM changed)
	)
	SELECT count(*), CASE WHEN count(*) < $9 THEN array_agg(id) END, CASE WHEN count(*) < $9 THEN array_agg(ts) END,
	       CASE WHEN count(*) < $9 THEN array_agg(owner) END,
	       (SELECT array_agg(product_id) FROM changed), (SELECT array_agg(sku) FROM changed)
	FROM stored`

// insertCheckedEvents stores those of the events that are new.
func (s *Store) insertCheckedEvents(ctx context.Context, batch uuid.UUID, events []event.Event, ordered []*event.Event) ([]bool, error) {
	columns, guesses := newEventColumns(ordered), newGuesses(ordered)
	var n int
	var changed wrong
	var ids []uuid.UUID
	var times []time.Time
	var owners []int64
	err := s.withPartitions(ctx, timesOf(ordered), func() error {
		return s.pool.QueryRow(ctx, insertChecked, batch, protocol.KindEvents,
			columns.id, columns.ts, columns.product, columns.user, columns.typ, columns.properties, len(events), columns.owner,
			guesses.product, guesses.sku).
			Scan(&n, &ids, &times, &owners, &changed.product, &changed.sku)
	})
	if err != nil {
		return nil, err
	}
	if err := changed.obstacles(events); err != nil {
		return nil, err
	}
	if n == len(events) {
		return allOf(n), nil
	}
	stored := make([]bool, len(events))
	isNew := newIdentities(owners, ids, times)
	for i := range events {
		stored[i] = isNew.take(events[i].Fact)
	}
	return stored, nil
}

// allOf returns the outcome of n rows that are all new.
func allOf(n int) []bool {
	stored := make([]bool, n)
	for i := range stored {
		stored[i] = true
	}
	return stored
}

// identities are the ids and times of rows that a statement has stored.
type identities map[identity]struct{}

type identity struct {
	owner int64
	id    uuid.UUID
	ts    int64 // microseconds, because time.Time values with different locations do not compare equal
}

func newIdentities(owners []int64, ids []uuid.UUID, times []time.Time) identities {
	all := make(identities, len(ids))
	for i := range ids {
		all[identity{owners[i], ids[i], times[i].UnixMicro()}] = struct{}{}
	}
	return all
}

// take reports whether the row of f was stored. It says so once: the first of several equal rows is the stored one.
func (all identities) take(f event.Fact) bool {
	key := identity{f.Owner, f.ID, f.TS.UnixMicro()}
	_, found := all[key]
	delete(all, key)
	return found
}

// inKeyOrder returns the events in the order of their keys. All writers insert in this order, so two that insert the same
// keys cannot deadlock, and index pages are filled one after the other.
func inKeyOrder(events []event.Event) []*event.Event {
	ordered := make([]*event.Event, len(events))
	for i := range events {
		ordered[i] = &events[i]
	}
	slices.SortFunc(ordered, func(a, b *event.Event) int {
		return inOrder(&a.Fact, &b.Fact)
	})
	return ordered
}

// inOrder compares facts by their keys.
func inOrder(a, b *event.Fact) int {
	return cmp.Or(cmp.Compare(a.Owner, b.Owner), a.TS.Compare(b.TS), bytes.Compare(a.ID[:], b.ID[:]))
}

// span returns the earliest and the latest of some times.
func span(times iter.Seq[time.Time]) (first, last time.Time) {
	for ts := range times {
		if first.IsZero() || ts.Before(first) {
			first = ts
		}
		if ts.After(last) {
			last = ts
		}
	}
	return first, last
}

// eventColumns are events as arrays.
type eventColumns struct {
	id, product [][16]byte // pgx encodes these directly; it converts a uuid.UUID to text first
	owner       []int64
	ts          []time.Time
	user, typ   []string
	properties  [][]byte
}

func newEventColumns(events []*event.Event) eventColumns {
	n := len(events)
	c := eventColumns{
		id: make([][16]byte, n), product: make([][16]byte, n), owner: make([]int64, n), ts: make([]time.Time, n),
		user: make([]string, n), typ: make([]string, n), properties: make([][]byte, n),
	}
	for i, e := range events {
		c.owner[i], c.id[i], c.ts[i], c.product[i] = e.Owner, e.ID, e.TS, e.ProductID
		c.user[i], c.typ[i], c.properties[i] = e.UserID, e.Type, e.Properties
	}
	return c
}
