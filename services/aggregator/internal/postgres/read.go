package postgres

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// selection is a set of batches of one kind, and the time range of their rows.
type selection struct {
	ids      [][16]byte
	from, to time.Time
	rows     int
}

// add adds a batch. A batch without rows has no time range and adds nothing.
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

// within returns the selection limited to rows from one time up to, but not including, another.
func (s selection) within(from, to time.Time) selection {
	if s.from.Before(from) {
		s.from = from
	}
	if last := to.Add(-time.Microsecond); s.to.After(last) { // times are stored in microseconds
		s.to = last
	}
	return s
}

// read folds the rows of the claimed batches. It fails when their number differs from what the batches record.
func read(ctx context.Context, tx pgx.Tx, batches []batch) (*rollup.Deltas, int, error) {
	var events, purchases selection
	for _, b := range batches {
		if b.kind == protocol.KindPurchases {
			purchases.add(b)
		} else {
			events.add(b)
		}
	}
	// The rows of a batch are adjacent, so the index is right. A new partition has no statistics that would tell the planner.
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
		return nil, 0, fmt.Errorf("read rows: %w", err)
	}
	deltas := rollup.New()
	got, err := readEvents(ctx, tx, events, deltas)
	if err := cmp.Or(err, events.complete("events", got)); err != nil {
		return nil, 0, err
	}
	got, err = readPurchases(ctx, tx, purchases, deltas)
	if err := cmp.Or(err, purchases.complete("purchases", got)); err != nil {
		return nil, 0, err
	}
	return deltas, events.rows + purchases.rows, nil
}

// readEvents adds the events of a selection to deltas and returns how many there are.
func readEvents(ctx context.Context, tx pgx.Tx, s selection, deltas *rollup.Deltas) (int64, error) {
	if len(s.ids) == 0 {
		return 0, nil
	}
	const query = `
		SELECT product_id, ts, user_id, type
		FROM ingest.events
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	rows, err := tx.Query(ctx, query, s.ids, s.from, s.to)
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	var e rollup.Event
	var ts time.Time
	tag, err := pgx.ForEachRow(rows, []any{&e.ProductID, &ts, &e.UserID, &e.Type}, func() error {
		e.Day = rollup.DayOf(ts)
		deltas.AddEvent(e)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	return tag.RowsAffected(), nil
}

// readPurchases adds the purchases of a selection to deltas and returns how many there are.
func readPurchases(ctx context.Context, tx pgx.Tx, s selection, deltas *rollup.Deltas) (int64, error) {
	if len(s.ids) == 0 {
		return 0, nil
	}
	const query = `
		SELECT product_id, ts, user_id, quantity, amount_minor
		FROM ingest.purchases
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	rows, err := tx.Query(ctx, query, s.ids, s.from, s.to)
	if err != nil {
		return 0, fmt.Errorf("read purchases: %w", err)
	}
	var p rollup.Purchase
	var ts time.Time
	tag, err := pgx.ForEachRow(rows, []any{&p.ProductID, &ts, &p.UserID, &p.Quantity, &p.AmountMinor}, func() error {
		p.Day = rollup.DayOf(ts)
		deltas.AddPurchase(p)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read purchases: %w", err)
	}
	return tag.RowsAffected(), nil
}

// complete fails when rows are missing. Rows and batch were committed together, so somebody has deleted the rows. Folding
// the remainder would hide that.
func (s selection) complete(what string, got int64) error {
	if got != int64(s.rows) {
		return fmt.Errorf("read %s: %d batches record %d rows but have %d: %w", what, len(s.ids), s.rows, got, errContent)
	}
	return nil
}
