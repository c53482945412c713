package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// querier runs one query; pools and transactions do.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Replay implements committer.Store.
func (s *Store) Replay(ctx context.Context, key event.IdempotencyKey) (event.Purchase, bool, error) {
	p, found, err := replay(ctx, s.pool, key)
	if err != nil {
		return event.Purchase{}, false, postgres.Classify(fmt.Errorf("look up an idempotency key: %w", err))
	}
	return p, found, nil
}

// replay returns the purchase that key was answered with. The answer is kept as a row of ingest.purchases in JSON,
// because the row itself may be dropped with its partition while the key still counts.
func replay(ctx context.Context, db querier, key event.IdempotencyKey) (event.Purchase, bool, error) {
	const query = `
		SELECT k.body_hash, ` + purchaseColumns + `
		FROM ingest.idempotency_keys AS k, jsonb_populate_record(NULL::ingest.purchases, k.response)
		WHERE k.principal = $1 AND k.key = $2`
	var p event.Purchase
	var hash []byte
	err := db.QueryRow(ctx, query, key.Principal, key.Key).Scan(&hash,
		&p.ID, &p.TS, &p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor, &p.Currency, &p.BatchID, &p.ReceivedAt)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return event.Purchase{}, false, nil
	case err != nil:
		return event.Purchase{}, false, err
	case !bytes.Equal(hash, key.BodyHash[:]):
		return event.Purchase{}, false, event.ErrKeyReused
	}
	return p, true, nil
}

// lockKey makes this transaction the only one that works on key. It does not wait for another one: its client would
// wait as well, and its answer is not known yet.
func lockKey(ctx context.Context, tx pgx.Tx, key event.IdempotencyKey) error {
	var locked bool
	const query = `SELECT pg_try_advisory_xact_lock(` + locks.IdempotencyKey + `) FROM (VALUES ($1, $2)) AS k (principal, key)`
	if err := tx.QueryRow(ctx, query, key.Principal, key.Key).Scan(&locked); err != nil {
		return fmt.Errorf("lock the idempotency key: %w", err)
	}
	if !locked {
		return event.ErrKeyInFlight
	}
	return nil
}

// saveKey keeps the answer to key.
func saveKey(ctx context.Context, tx pgx.Tx, key event.IdempotencyKey, p event.Purchase) error {
	const insert = `
		INSERT INTO ingest.idempotency_keys (principal, key, body_hash, response)
		SELECT $1, $2, $3, to_jsonb(p)
		FROM ingest.purchases AS p
		WHERE p.ts = $4 AND p.id = $5`
	if _, err := tx.Exec(ctx, insert, key.Principal, key.Key, key.BodyHash[:], p.TS, p.ID); err != nil {
		return fmt.Errorf("save the idempotency key: %w", err)
	}
	return nil
}
