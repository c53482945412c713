package batchtest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
)

var currencies = []string{"EUR", "EUR", "JPY", "KWD"}

// Orders commits a batch of orders with n lines together and returns its id. An order may have several lines of a product.
func (w *Writer) Orders(n int) int64 {
	w.tb.Helper()
	var orders, lines [][]any
	var times []time.Time
	var users []int64
	var data []byte
	id := w.newID()
	for len(lines) < n {
		ts, user, order, currency := w.time(), some(w, w.Users), [16]byte(uuid.New()), currencies[w.random.IntN(len(currencies))]
		if len(orders) == 0 {
			data = facts.AppendHeader(nil, ts)
		}
		size := min(1+w.random.IntN(4), n-len(lines))
		var products []int32
		for line := range size {
			sold := soldLine{
				ts: ts, order: order, user: user, product: some(w, w.Products), line: int16(line + 1), units: 1 + w.random.Int64N(3),
				amount: w.random.Int64N(10_000), currency: [3]byte([]byte(currency)),
			}
			lines = append(lines, []any{ts, sold.amount, order, sold.product, sold.units, w.Project, sold.line})
			data = facts.AppendLine(data, append(times, ts)[0], facts.Line{
				TS: ts, User: user, Product: sold.product, Currency: sold.currency, Units: sold.units, AmountMinor: sold.amount,
				First: line == 0, FirstOf: !slices.Contains(products, sold.product),
			})
			products = append(products, sold.product)
			w.sold = append(w.sold, sold)
		}
		times, users = append(times, ts), append(users, user)
		orders = append(orders, []any{ts, user, id, order, w.Project, int16(size), currency, []byte{}})
	}
	w.inTx(func(ctx context.Context, tx pgx.Tx) error {
		columns := []string{"ts", "user_n", "batch", "id", "project", "lines", "currency", "content_hash"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "orders"}, columns, pgx.CopyFromRows(orders)); err != nil {
			return err
		}
		columns = []string{"ts", "amount_minor", "order_id", "product", "quantity", "project", "line"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "order_lines"}, columns, pgx.CopyFromRows(lines)); err != nil {
			return err
		}
		if err := w.see(ctx, tx, users, times); err != nil {
			return err
		}
		return w.receipt(ctx, tx, id, protocol.KindOrders, n, times, data)
	})
	return id
}

// Refunds commits a batch of n refunds of one line each, up to three days after the order, and returns its id. At least n lines
// must have been sold.
func (w *Writer) Refunds(n int) int64 {
	w.tb.Helper()
	var refunds, lines [][]any
	var times []time.Time
	var data []byte
	id := w.newID()
	w.inTx(func(ctx context.Context, tx pgx.Tx) error {
		for range n {
			sold := &w.sold[w.random.IntN(len(w.sold))]
			last := w.First.AddDate(0, 0, w.Days).Add(-time.Microsecond)
			ts := sold.ts.Add(time.Duration(w.random.Int64N(int64(72 * time.Hour)))).Truncate(time.Microsecond)
			if ts.After(last) {
				ts = last
			}
			units, amount := w.random.Int64N(sold.units+1), w.random.Int64N(sold.amount+1)
			sold.units, sold.amount = sold.units-units, sold.amount-amount
			const pay = `
				UPDATE ingest.order_lines AS l SET refunded_minor = refunded_minor + $4, refunded_units = refunded_units + $5
				WHERE project = $1 AND order_id = $2 AND line = $3
				RETURNING (SELECT o.user_n FROM ingest.orders AS o WHERE o.project = l.project AND o.id = l.order_id)`
			var user int64 // as the order has it, which may be nobody by now
			if err := tx.QueryRow(ctx, pay, w.Project, sold.order, sold.line, amount, units).Scan(&user); err != nil {
				return err
			}
			if len(times) == 0 {
				data = facts.AppendHeader(nil, ts)
			}
			times = append(times, ts)
			refund := [16]byte(uuid.New())
			refunds = append(refunds, []any{ts, user, id, refund, sold.order, w.Project, int16(1), string(sold.currency[:]), []byte{}})
			lines = append(lines, []any{amount, refund, sold.product, units, w.Project, sold.line})
			data = facts.AppendLine(data, times[0], facts.Line{
				TS: ts, User: user, Product: sold.product, Currency: sold.currency, Units: units, AmountMinor: amount, First: true, FirstOf: true,
			})
		}
		columns := []string{"ts", "user_n", "batch", "id", "order_id", "project", "lines", "currency", "content_hash"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "refunds"}, columns, pgx.CopyFromRows(refunds)); err != nil {
			return err
		}
		columns = []string{"amount_minor", "refund_id", "product", "units", "project", "line"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "refund_lines"}, columns, pgx.CopyFromRows(lines)); err != nil {
			return err
		}
		return w.receipt(ctx, tx, id, protocol.KindRefunds, n, times, data)
	})
	return id
}
