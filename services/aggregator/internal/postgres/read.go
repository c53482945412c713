package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
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

// read folds the rows of the claimed batches into parts. It fails when their number differs from what the batches record.
func read(ctx context.Context, tx pgx.Tx, batches []batch, parts *rollup.Parts) (int, error) {
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
		return 0, fmt.Errorf("read rows: %w", err)
	}
	got, err := readEvents(ctx, tx, events, parts)
	if err := cmp.Or(err, events.complete("events", got)); err != nil {
		return 0, err
	}
	got, err = readPurchases(ctx, tx, purchases, parts)
	if err := cmp.Or(err, purchases.complete("purchases", got)); err != nil {
		return 0, err
	}
	return events.rows + purchases.rows, parts.Flush()
}

// readEvents adds the events of a selection to parts and returns how many there are.
func readEvents(ctx context.Context, tx pgx.Tx, s selection, parts *rollup.Parts) (int64, error) {
	const query = `
		SELECT product_id, ts, user_id, type
		FROM ingest.events
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	var e rollup.Event
	var ts time.Time
	n, err := s.each(ctx, tx, "folded_events", query, parts, []any{&e.ProductID, &ts, &e.UserID, &e.Type}, func() error {
		e.Day = rollup.DayOf(ts)
		parts.Deltas.AddEvent(e)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	return n, nil
}

// readPurchases adds the purchases of a selection to parts and returns how many there are.
func readPurchases(ctx context.Context, tx pgx.Tx, s selection, parts *rollup.Parts) (int64, error) {
	const query = `
		SELECT product_id, ts, user_id, quantity, amount_minor
		FROM ingest.purchases
		WHERE batch_id = ANY($1) AND ts BETWEEN $2 AND $3`
	var p rollup.Purchase
	var ts time.Time
	n, err := s.each(ctx, tx, "folded_purchases", query, parts, []any{&p.ProductID, &ts, &p.UserID, &p.Quantity, &p.AmountMinor}, func() error {
		p.Day = rollup.DayOf(ts)
		parts.Deltas.AddPurchase(p)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read purchases: %w", err)
	}
	return n, nil
}

// The sizes of a fetch. There are few, because each is a prepared statement.
var fetchSizes = [...]int{10_000, 1000, 100, 10, 1}

// each calls row for each row of a query on the selection. A cursor lets parts be stored in the same transaction in between.
func (s selection) each(ctx context.Context, tx pgx.Tx, cursor, query string, parts *rollup.Parts, fields []any, row func() error) (total int64, err error) {
	if len(s.ids) == 0 {
		return 0, nil
	}
	if _, err := tx.Exec(ctx, `DECLARE `+cursor+` NO SCROLL CURSOR FOR `+query, s.ids, s.from, s.to); err != nil {
		return 0, err
	}
	for {
		room, err := parts.Next()
		if err != nil {
			return 0, err
		}
		size := fetchSizes[slices.IndexFunc(fetchSizes[:], func(size int) bool { return size <= room })]
		rows, err := tx.Query(ctx, `FETCH `+strconv.Itoa(size)+` FROM `+cursor)
		if err != nil {
			return 0, err
		}
		tag, err := pgx.ForEachRow(rows, fields, row)
		if err != nil {
			return 0, err
		}
		total += tag.RowsAffected()
		if tag.RowsAffected() < int64(size) {
			break
		}
	}
	_, err = tx.Exec(ctx, `CLOSE `+cursor)
	return total, err
}

// complete fails when rows are missing. Rows and batch were committed together, so somebody has deleted the rows. Folding
// the remainder would hide that.
func (s selection) complete(what string, got int64) error {
	if got != int64(s.rows) {
		return fmt.Errorf("read %s: %d batches record %d rows but have %d: %w", what, len(s.ids), s.rows, got, errContent)
	}
	return nil
}
