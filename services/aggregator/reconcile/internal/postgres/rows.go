package postgres

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// Clock returns what the clocks of the project show in a span.
func (s Snapshot) Clock(ctx context.Context, span Span) (*recount.Clock, error) {
	// Clocks are changed, and the hours of zones with an odd offset begin, at quarters of an hour of UTC. Hours that began at
	// other times, as some did a hundred years ago, are known by their beginning.
	zone := zoneAt("at", "$3", "$4")
	query := `
		SELECT at, date_trunc('hour', at, ` + zone + `), (at AT TIME ZONE ` + zone + `)::date
		FROM generate_series($1::timestamptz, $2::timestamptz - interval '1 microsecond', interval '15 minutes') AS at`
	names, starts := zoneNames(span.Project.Zones.Between(span.From, span.To))
	var grid []recount.Moment
	err := s.each(ctx, query, []any{span.From, span.To, names, starts}, func(row values) error {
		grid = append(grid, recount.Moment{From: row.micros(0), Hour: row.micros(1), Day: row.date(2)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the clocks: %w", err)
	}
	return recount.NewClock(grid), nil
}

// Events calls fn for the raw events of a part of a span. The event is valid until fn returns.
func (s Snapshot) Events(ctx context.Context, span Span, fn func(*recount.Event) error) error {
	query := `
		SELECT raw.ts, raw.user_n, raw.product, raw.name, ` + span.isFolded() + `
		FROM ingest.events AS raw
		WHERE ` + rawOfSpan + span.ofPart("raw.user_n", "raw.product")
	var e recount.Event
	err := s.each(ctx, query, span.arguments(span.From, span.To), func(row values) error {
		e = recount.Event{TS: row.micros(0), User: row.int64(1), Product: row.int32(2), Name: row.int16(3), Folded: row.bool(4)}
		return fn(&e)
	})
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return nil
}

// OrderLines calls fn for the lines of orders of a part of a span. The line is valid until fn returns.
func (s Snapshot) OrderLines(ctx context.Context, span Span, fn func(*recount.Line) error) error {
	query := `
		SELECT ts, user_n, product, currency, quantity, amount_minor, first, first_for, folded
		FROM (
			SELECT raw.ts, raw.user_n, line.product, raw.currency, line.quantity::bigint, line.amount_minor,
				line.line = min(line.line) OVER (PARTITION BY raw.id) AS first,
				line.line = min(line.line) OVER (PARTITION BY raw.id, line.product) AS first_for, ` + span.isFolded() + ` AS folded
			FROM ingest.orders AS raw JOIN ingest.order_lines AS line ON line.project = raw.project AND line.order_id = raw.id
			WHERE ` + rawOfSpan + `
		) AS every
		WHERE true` + span.ofPart("user_n", "product")
	if err := s.lines(ctx, query, span, fn); err != nil {
		return fmt.Errorf("read lines of orders: %w", err)
	}
	return nil
}

// RefundLines calls fn for the lines of refunds of a part of a span. The line is valid until fn returns.
func (s Snapshot) RefundLines(ctx context.Context, span Span, fn func(*recount.Line) error) error {
	query := `
		SELECT raw.ts, raw.user_n, line.product, raw.currency, line.units::bigint, line.amount_minor, false, false, ` + span.isFolded() + `
		FROM ingest.refunds AS raw JOIN ingest.refund_lines AS line ON line.project = raw.project AND line.refund_id = raw.id
		WHERE ` + rawOfSpan + span.ofPart("raw.user_n", "line.product")
	if err := s.lines(ctx, query, span, fn); err != nil {
		return fmt.Errorf("read lines of refunds: %w", err)
	}
	return nil
}

func (s Snapshot) lines(ctx context.Context, query string, span Span, fn func(*recount.Line) error) error {
	var l recount.Line
	return s.each(ctx, query, span.arguments(span.From, span.To), func(row values) error {
		l = recount.Line{
			TS: row.micros(0), User: row.int64(1), Product: row.int32(2), Currency: recount.CurrencyOf(row[3]), Units: row.int64(4), Amount: row.int64(5),
			First: row.bool(6), FirstFor: row.bool(7), Folded: row.bool(8),
		}
		return fn(&l)
	})
}

// each calls fn for each row of a query. Scanning the values costs more than all else that happens to a raw row, so fn gets them as
// they were sent.
func (s Snapshot) each(ctx context.Context, query string, args []any, fn func(values) error) error {
	rows, err := s.tx.Query(ctx, query, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

// values are those of a row in the binary format of Postgres, until the next row. Those of a column that is NULL are 0.
type values [][]byte

func (v values) int64(i int) int64 {
	if len(v[i]) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v[i]))
}

func (v values) int32(i int) int32 {
	if len(v[i]) != 4 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(v[i]))
}

func (v values) int16(i int) int16 {
	if len(v[i]) != 2 {
		return 0
	}
	return int16(binary.BigEndian.Uint16(v[i]))
}

func (v values) bool(i int) bool { return len(v[i]) == 1 && v[i][0] != 0 }

func (v values) micros(i int) recount.Micros { return recount.Micros(v.int64(i)) }

func (v values) date(i int) recount.Date { return recount.Date(v.int32(i)) }
