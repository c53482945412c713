package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// selection is the batches of one kind, and the time that their rows are in.
type selection struct {
	ids      [][16]byte
	from, to time.Time
	rows     int
}

// add extends the selection by a batch. Batches without rows have no times.
func (s *selection) add(b batch) {
	if b.rows == 0 || b.minTS == nil || b.maxTS == nil {
		return
	}
	if len(s.ids) == 0 || b.minTS.Before(s.from) {
		s.from = *b.minTS
	}
	if len(s.ids) == 0 || b.maxTS.After(s.to) {
		s.to = *b.maxTS
	}
	s.ids = append(s.ids, b.id)
	s.rows += b.rows
}

// read folds the rows of the claimed batches, and checks that there are as many as the batches promise.
func read(ctx context.Context, tx pgx.Tx, batches []batch) (*rollup.Deltas, int, error) {
	var events, purchases selection
	for _, b := range batches {
		if b.kind == protocol.KindPurchases {
			purchases.add(b)
		} else {
			events.add(b)
		}
	}
	// Rows of a batch lie together, but a young partition has no statistics yet that would tell the planner so.
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
		return nil, 0, fmt.Errorf("read rows: %w", err)
	}
	deltas := rollup.New()
	if err := readEvents(ctx, tx, events, deltas); err != nil {
		return nil, 0, err
	}
	if err := readPurchases(ctx, tx, purchases, deltas); err != nil {
		return nil, 0, err
	}
	return deltas, events.rows + purchases.rows, nil
}

func readEvents(ctx context.Context, tx pgx.Tx, s selection, deltas *rollup.Deltas) error {
	if len(s.ids) == 0 {
		return nil
	}
	const query = `
		SELECT product_id, ts, user_id, type
		FROM ingest.events
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	rows, err := tx.Query(ctx, query, s.ids, s.from, s.to)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	var e rollup.Event
	var ts time.Time
	tag, err := pgx.ForEachRow(rows, []any{&e.ProductID, &ts, &e.UserID, &e.Type}, func() error {
		e.Day = rollup.DayOf(ts)
		deltas.AddEvent(e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return s.complete("events", tag.RowsAffected())
}

func readPurchases(ctx context.Context, tx pgx.Tx, s selection, deltas *rollup.Deltas) error {
	if len(s.ids) == 0 {
		return nil
	}
	const query = `
		SELECT product_id, ts, user_id, quantity, amount_minor
		FROM ingest.purchases
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	rows, err := tx.Query(ctx, query, s.ids, s.from, s.to)
	if err != nil {
		return fmt.Errorf("read purchases: %w", err)
	}
	var p rollup.Purchase
	var ts time.Time
	tag, err := pgx.ForEachRow(rows, []any{&p.ProductID, &ts, &p.UserID, &p.Quantity, &p.AmountMinor}, func() error {
		p.Day = rollup.DayOf(ts)
		deltas.AddPurchase(p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read purchases: %w", err)
	}
	return s.complete("purchases", tag.RowsAffected())
}

// complete fails when rows are missing: they were written in the transaction of their batch, so somebody has deleted
// them, and counting the rest as if it were all would hide that.
func (s selection) complete(what string, got int64) error {
	if got != int64(s.rows) {
		return fmt.Errorf("read %s: %d batches promise %d rows but have %d", what, len(s.ids), s.rows, got)
	}
	return nil
}
