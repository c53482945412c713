package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// insertPurchases stores what is new of many orders, their keys and one receipt, in one statement. New is an order whose
// key is neither known nor locked by somebody, and whose id is not stored. That somebody commits the same key between our
// snapshot and our insert violates the key's uniqueness: then nothing is stored. The clock is read while the statement
// holds its locks, because analytics tells by them up to when its numbers are complete.
const insertPurchases = `
	WITH moment AS MATERIALIZED (
		SELECT clock_timestamp() AS received_at
	), sent AS MATERIALIZED (
		SELECT s.*, s.key IS NULL OR pg_try_advisory_xact_lock(` + locks.IdempotencyKey + `) AS locked
		FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::integer[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bytea[])
			AS s (id, ts, product_id, user_id, quantity, amount_minor, currency, principal, key, body_hash)
	), fresh AS (
		SELECT *
		FROM sent
		WHERE locked AND (key IS NULL OR NOT EXISTS (
			SELECT FROM ingest.idempotency_keys k WHERE k.principal = sent.principal AND k.key = sent.key))
	), stored AS (
		INSERT INTO ingest.purchases (id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at)
		SELECT id, ts, product_id, user_id, quantity, amount_minor, currency, $1, received_at
		FROM fresh, moment
		ON CONFLICT (ts, id) DO NOTHING
		RETURNING *
	), keys AS (
		INSERT INTO ingest.idempotency_keys (principal, key, body_hash, response)
		SELECT fresh.principal, fresh.key, fresh.body_hash, to_jsonb(stored)
		FROM stored JOIN fresh USING (ts, id)
		WHERE fresh.key IS NOT NULL
	), receipt AS (
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, received_at)
		SELECT $1, $2, count(*), min(ts), max(ts), (SELECT received_at FROM moment)
		FROM stored
		HAVING count(*) > 0
	)
	SELECT (SELECT received_at FROM moment), array_agg(id), array_agg(ts) FROM stored`

// StorePurchases implements committer.Store. As with events a plain insert is tried first, which is all that purchases
// without an idempotency key need as long as none of them is repeated.
func (s *Store) StorePurchases(ctx context.Context, batch uuid.UUID, orders []event.Order) ([]bool, time.Time, error) {
	defer s.observe(protocol.KindPurchases, len(orders), time.Now())
	stored, receivedAt, err := s.storePurchases(ctx, batch, orders)
	if err != nil {
		return nil, time.Time{}, postgres.Classify(fmt.Errorf("store batch %s of %d purchases: %w", batch, len(orders), err))
	}
	return stored, receivedAt, nil
}

func (s *Store) storePurchases(ctx context.Context, batch uuid.UUID, orders []event.Order) ([]bool, time.Time, error) {
	columns := newOrderColumns(orders)
	if columns.keyless && len(columns.id) == len(orders) && s.newPurchases.hopeful() {
		receivedAt, err := s.storeNewPurchases(ctx, batch, columns)
		if !keyTaken(err) {
			return allOf(len(orders)), receivedAt, err
		}
		s.newPurchases.disappointed()
	}
	return s.storePurchasesWithCare(ctx, batch, orders, columns)
}

// storeNewPurchases stores a batch and its receipt, or nothing if one of the ids is already there.
func (s *Store) storeNewPurchases(ctx context.Context, batch uuid.UUID, c orderColumns) (receivedAt time.Time, err error) {
	const insert = `
		WITH moment AS MATERIALIZED (
			SELECT clock_timestamp() AS received_at
		), stored AS (
			INSERT INTO ingest.purchases (id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at)
			SELECT id, ts, product_id, user_id, quantity, amount_minor, currency, $1, received_at
			FROM moment, unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::integer[], $8::bigint[], $9::text[])
				AS s (id, ts, product_id, user_id, quantity, amount_minor, currency)
		)
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, received_at)
		SELECT $1, $2, $10, $11, $12, received_at FROM moment
		RETURNING received_at`
	err = s.withPartitions(ctx, slices.Values(c.ts), func() error {
		return s.pool.QueryRow(ctx, insert, batch, protocol.KindPurchases,
			c.id, c.ts, c.product, c.user, c.quantity, c.amount, c.currency, len(c.id), c.ts[0], c.ts[len(c.ts)-1]).Scan(&receivedAt)
	})
	return receivedAt, err
}

// storePurchasesWithCare stores those of the orders that are new beyond doubt.
func (s *Store) storePurchasesWithCare(ctx context.Context, batch uuid.UUID, orders []event.Order, c orderColumns) ([]bool, time.Time, error) {
	var receivedAt time.Time
	var ids []uuid.UUID
	var times []time.Time
	err := s.withPartitions(ctx, slices.Values(c.ts), func() error {
		return s.pool.QueryRow(ctx, insertPurchases, batch, protocol.KindPurchases,
			c.id, c.ts, c.product, c.user, c.quantity, c.amount, c.currency, c.principal, c.key, c.hash).
			Scan(&receivedAt, &ids, &times)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	isNew := newIdentities(ids, times)
	stored := make([]bool, len(orders))
	for i := range orders {
		stored[i] = isNew.take(orders[i].Fact)
	}
	return stored, receivedAt, nil
}

// orderColumns are orders as arrays.
type orderColumns struct {
	id, product      [][16]byte
	ts               []time.Time
	user, currency   []string
	quantity, amount []int64
	principal, key   []*string
	hash             [][]byte
	keyless          bool // none has an idempotency key
}

// newOrderColumns leaves out the second of orders with the same id: which of their keys is answered with what was
// stored is not for the statement to say. The others are in key order, for the same reasons as events.
func newOrderColumns(orders []event.Order) orderColumns {
	seen := make(map[uuid.UUID]struct{}, len(orders))
	ordered := make([]*event.Order, 0, len(orders))
	for i := range orders {
		if _, again := seen[orders[i].ID]; !again {
			seen[orders[i].ID] = struct{}{}
			ordered = append(ordered, &orders[i])
		}
	}
	slices.SortFunc(ordered, func(a, b *event.Order) int {
		return cmp.Or(a.TS.Compare(b.TS), bytes.Compare(a.ID[:], b.ID[:]))
	})
	c := orderColumns{keyless: true}
	for _, o := range ordered {
		c.add(o)
	}
	return c
}

func (c *orderColumns) add(o *event.Order) {
	c.id, c.ts, c.product = append(c.id, o.ID), append(c.ts, o.TS), append(c.product, o.ProductID)
	c.user, c.currency = append(c.user, o.UserID), append(c.currency, o.Currency)
	c.quantity, c.amount = append(c.quantity, o.Quantity), append(c.amount, o.AmountMinor)
	var principal, key *string
	var hash []byte
	if o.Key != nil {
		c.keyless = false
		principal, key, hash = &o.Key.Principal, &o.Key.Key, o.Key.BodyHash[:]
	}
	c.principal, c.key, c.hash = append(c.principal, principal), append(c.key, key), append(c.hash, hash)
}
