package postgres

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// lockKey locks the columns principal and key of a row until the end of the transaction, or is false when another
// transaction holds the lock. Whoever inserts a key holds its lock, so inserts of keys never wait for each other and cannot
// deadlock.
const lockKey = `pg_try_advisory_xact_lock(` + locks.IdempotencyKey + `)`

// Replay implements event.Answers.
func (s *Store) Replay(ctx context.Context, key event.IdempotencyKey) (event.Purchase, bool, error) {
	answers, err := s.answers(ctx, []event.IdempotencyKey{key})
	if err != nil {
		return event.Purchase{}, false, postgres.Classify(err)
	}
	answer, found := answers[0]
	return answer.Purchase, found && answer.Err == nil, answer.Err
}

// answers returns the outcome of purchases whose keys were answered before, by index of the key. An answer is kept as a row of
// ingest.purchases in JSON, because the key can outlive the row, which is dropped with its partition.
func (s *Store) answers(ctx context.Context, keys []event.IdempotencyKey) (map[int]committer.Outcome, error) {
	found := make(map[int]committer.Outcome, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	const query = `
		SELECT sent.n - 1, known.body_hash, ` + purchaseColumns + `
		FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS sent (principal, key, n)
		CROSS JOIN LATERAL (
			SELECT k.body_hash, k.response
			FROM ingest.idempotency_keys AS k
			WHERE k.principal = sent.principal AND k.key = sent.key
			LIMIT 1
		) AS known
		CROSS JOIN jsonb_populate_record(NULL::ingest.purchases, known.response)`
	principals, names := make([]string, len(keys)), make([]string, len(keys))
	for i, key := range keys {
		principals[i], names[i] = key.Principal, key.Key
	}
	rows, _ := s.pool.Query(ctx, query, principals, names) // ForEachRow returns its error
	var i int
	var hash []byte
	var p event.Purchase
	_, err := pgx.ForEachRow(rows, append([]any{&i, &hash}, fields(&p)...), func() error {
		if bytes.Equal(hash, keys[i].BodyHash[:]) {
			found[i] = committer.Outcome{Purchase: p, Replayed: true}
		} else {
			found[i] = committer.Outcome{Err: event.ErrKeyReused}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up %d idempotency keys: %w", len(keys), err)
	}
	return found, nil
}

// saveKeys keeps stored purchases as the answers to the keys of orders that repeat them, and returns the keys that it
// saved. It leaves out keys that another transaction works on or has saved.
func (s *Store) saveKeys(ctx context.Context, orders []event.Order, repeated []int) (map[event.IdempotencyKey]bool, error) {
	saved := make(map[event.IdempotencyKey]bool, len(repeated))
	if len(repeated) == 0 {
		return saved, nil
	}
	const insert = `
		WITH sent AS MATERIALIZED (
			SELECT s.*, ` + lockKey + ` AS locked
			FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::uuid[], $6::bigint[])
				AS s (principal, key, body_hash, ts, id, owner)
		)
		INSERT INTO ingest.idempotency_keys (principal, key, body_hash, response)
		SELECT sent.principal, sent.key, sent.body_hash, stored.response
		FROM sent
		CROSS JOIN LATERAL (
			SELECT to_jsonb(p) AS response
			FROM ingest.purchases AS p
			WHERE p.owner = sent.owner AND p.ts = sent.ts AND p.id = sent.id
			LIMIT 1
		) AS stored
		WHERE sent.locked
		ON CONFLICT (principal, key) DO NOTHING
		RETURNING principal, key, body_hash`
	n := len(repeated)
	principals, names, hashes := make([]string, n), make([]string, n), make([][]byte, n)
	times, ids, owners := make([]time.Time, n), make([][16]byte, n), make([]int16, n)
	for at, i := range repeated {
		o := &orders[i]
		principals[at], names[at], hashes[at] = o.Key.Principal, o.Key.Key, o.Key.BodyHash[:]
		times[at], ids[at], owners[at] = o.TS, o.ID, o.Project
	}
	rows, _ := s.pool.Query(ctx, insert, principals, names, hashes, times, ids, owners) // ForEachRow returns its error
	var key event.IdempotencyKey
	var hash []byte
	_, err := pgx.ForEachRow(rows, []any{&key.Principal, &key.Key, &hash}, func() error {
		copy(key.BodyHash[:], hash)
		saved[key] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("save %d idempotency keys: %w", n, err)
	}
	return saved, nil
}
