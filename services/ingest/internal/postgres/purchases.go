package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const purchaseColumns = `id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at`

// StorePurchase implements committer.Store.
func (s *Store) StorePurchase(ctx context.Context, order event.Order) (stored event.Purchase, replayed bool, err error) {
	p, key := order.Purchase, order.Key
	defer s.observe(protocol.KindPurchases, 1, time.Now())
	err = s.withPartitions(ctx, slices.Values([]time.Time{p.TS}), func() error {
		return postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
			stored, replayed, err = purchase(ctx, tx, p, key)
			return err
		})
	})
	if err != nil {
		return event.Purchase{}, false, postgres.Classify(fmt.Errorf("store purchase %s: %w", p.ID, err))
	}
	return stored, replayed, nil
}

// purchase stores p unless its key or its id was used before; then it returns what was stored for them.
func purchase(ctx context.Context, tx pgx.Tx, p event.Purchase, key *event.IdempotencyKey) (stored event.Purchase, replayed bool, err error) {
	if key != nil {
		if err := lockKey(ctx, tx, *key); err != nil {
			return event.Purchase{}, false, err
		}
		// A new statement sees what the last holder of the lock has committed.
		if stored, found, err := replay(ctx, tx, *key); err != nil || found {
			return stored, found, err
		}
	}
	stored, replayed, err = insertPurchase(ctx, tx, p)
	if err == nil && key != nil {
		err = saveKey(ctx, tx, *key, stored)
	}
	return stored, replayed, err
}

// insertPurchase stores p and its receipt, or finds the purchase that has its id.
func insertPurchase(ctx context.Context, tx pgx.Tx, p event.Purchase) (stored event.Purchase, existed bool, err error) {
	const insert = `
		WITH stored AS (
			INSERT INTO ingest.purchases (id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
			ON CONFLICT (ts, id) DO NOTHING
			RETURNING ` + purchaseColumns + `
		), receipt AS (
			INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, received_at)
			SELECT batch_id, $9, 1, ts, ts, received_at
			FROM stored
		)
		SELECT ` + purchaseColumns + ` FROM stored`
	stored, err = scanPurchase(tx.QueryRow(ctx, insert,
		p.ID, p.TS, p.ProductID, p.UserID, p.Quantity, p.AmountMinor, p.Currency, p.BatchID, protocol.KindPurchases))
	if !errors.Is(err, pgx.ErrNoRows) {
		return stored, false, err
	}
	const find = `SELECT ` + purchaseColumns + ` FROM ingest.purchases WHERE ts = $1 AND id = $2`
	stored, err = scanPurchase(tx.QueryRow(ctx, find, p.TS, p.ID))
	if err == nil && stored.UserID != p.UserID {
		err = event.ErrIDTaken
	}
	return stored, true, err
}

func scanPurchase(row pgx.Row) (p event.Purchase, err error) {
	err = row.Scan(&p.ID, &p.TS, &p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor, &p.Currency, &p.BatchID, &p.ReceivedAt)
	return p, err
}
