package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// lockKey locks the columns project, principal and key of a row until the end of the transaction, or is false when another
// transaction holds the lock. Whoever inserts a key holds its lock, so inserts of keys never wait for each other and cannot
// deadlock.
const lockKey = `pg_try_advisory_xact_lock(` + locks.IdempotencyKey + `)`

// answers returns the outcome of orders whose Idempotency-Keys were answered before, by index of the key.
func (s *Store) answers(ctx context.Context, keys []order.IdempotencyKey) (map[int]order.Outcome, error) {
	found := make(map[int]order.Outcome, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	const query = `
		SELECT sent.i - 1, known.body_hash, (known.response ->> 'id')::uuid
		FROM unnest($1::smallint[], $2::text[], $3::text[]) WITH ORDINALITY AS sent (project, principal, key, i)
		CROSS JOIN LATERAL (
			SELECT k.body_hash, k.response
			FROM ingest.idempotency_keys AS k
			WHERE k.project = sent.project AND k.principal = sent.principal AND k.key = sent.key
			LIMIT 1
		) AS known`
	projects, principals, names := make([]int16, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, key := range keys {
		projects[i], principals[i], names[i] = key.Project, key.Principal, key.Key
	}
	answered := map[int]order.Key{}
	rows, _ := s.pool.Query(ctx, query, projects, principals, names) // ForEachRow returns its error
	var i int
	var hash []byte
	var id uuid.UUID
	_, err := pgx.ForEachRow(rows, []any{&i, &hash, &id}, func() error {
		if order.Hash(hash) == keys[i].BodyHash {
			answered[i] = order.Key{Project: keys[i].Project, ID: id}
		} else {
			found[i] = order.Outcome{Err: order.ErrKeyReused}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up %d idempotency keys: %w", len(keys), err)
	}
	return found, s.addAnswers(ctx, answered, found)
}

// addAnswers reads the orders that answer keys, by index of the key.
func (s *Store) addAnswers(ctx context.Context, answered map[int]order.Key, found map[int]order.Outcome) error {
	ids := make([]order.Key, 0, len(answered))
	for _, id := range answered {
		ids = append(ids, id)
	}
	orders, err := s.ordersByKey(ctx, ids)
	for i, id := range answered {
		if o, ok := orders[id]; ok {
			found[i] = order.Outcome{Order: o, Replayed: true}
		}
	}
	return err
}

// saveKeys keeps stored orders as the answers to the Idempotency-Keys of orders that repeat them, and returns the keys that it
// saved. It leaves out keys that another transaction works on or has saved.
func (s *Store) saveKeys(ctx context.Context, repeated []*order.Order) (map[order.IdempotencyKey]bool, error) {
	saved := make(map[order.IdempotencyKey]bool, len(repeated))
	if len(repeated) == 0 {
		return saved, nil
	}
	const insert = `
		WITH sent AS MATERIALIZED (
			SELECT s.*, ` + lockKey + ` AS locked
			FROM unnest($1::smallint[], $2::text[], $3::text[], $4::bytea[], $5::uuid[])
				AS s (project, principal, key, body_hash, id)
		)
		INSERT INTO ingest.idempotency_keys (project, principal, key, body_hash, response)
		SELECT project, principal, key, body_hash, jsonb_build_object('id', id)
		FROM sent
		WHERE locked
		ON CONFLICT (project, principal, key) DO NOTHING
		RETURNING project, principal, key, body_hash`
	n := len(repeated)
	projects, principals, names := make([]int16, n), make([]string, n), make([]string, n)
	hashes, ids := make([][]byte, n), make([][16]byte, n)
	for i, o := range repeated {
		key := o.Idempotency
		projects[i], principals[i], names[i], hashes[i], ids[i] = key.Project, key.Principal, key.Key, key.BodyHash[:], o.ID
	}
	var key order.IdempotencyKey
	var hash []byte
	err := repeatedPairs(ctx, s, saved, []any{&key.Project, &key.Principal, &key.Key, &hash}, func() (order.IdempotencyKey, bool) {
		key.BodyHash = order.Hash(hash)
		return key, true
	}, insert, projects, principals, names, hashes, ids)
	if err != nil {
		return nil, fmt.Errorf("save %d idempotency keys: %w", n, err)
	}
	return saved, nil
}
