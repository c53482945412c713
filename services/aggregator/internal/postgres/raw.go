package postgres

import (
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// rawTable is a kind of raw rows, which a rebuild reads in place of the facts of their batches: these are gone once folded.
type rawTable struct {
	kind string
	// query selects rows of the project $1 from $2 up to, but not including, $3. A condition on "raw" follows, which has the
	// column "batch".
	query  string
	fields func(*rawRow) []any
	add    func(*rollup.Deltas, int16, *rollup.Clock, *rawRow)
}

// rawRow is an event or a line.
type rawRow struct {
	event    facts.Event
	line     facts.Line
	currency string
}

var rawTables = []rawTable{
	{
		kind: protocol.KindEvents,
		query: `
			SELECT ts, user_n, coalesce(product, 0), name
			FROM ingest.events AS raw
			WHERE project = $1 AND ts >= $2 AND ts < $3 AND `,
		fields: func(row *rawRow) []any {
			return []any{&row.event.TS, &row.event.User, &row.event.Product, &row.event.Name}
		},
		add: func(d *rollup.Deltas, project int16, clock *rollup.Clock, row *rawRow) {
			d.AddEvent(project, clock, row.event)
		},
	},
	{
		kind: protocol.KindOrders,
		query: `
			SELECT raw.ts, raw.user_n, line.product, raw.currency, line.quantity, line.amount_minor,
				line.line = min(line.line) OVER (PARTITION BY raw.id),
				line.line = min(line.line) OVER (PARTITION BY raw.id, line.product)
			FROM ingest.orders AS raw JOIN ingest.order_lines AS line ON line.project = raw.project AND line.order_id = raw.id
			WHERE raw.project = $1 AND raw.ts >= $2 AND raw.ts < $3 AND `,
		fields: lineFields,
		add: func(d *rollup.Deltas, project int16, clock *rollup.Clock, row *rawRow) {
			copy(row.line.Currency[:], row.currency)
			d.AddOrderLine(project, clock, row.line)
		},
	},
	{
		kind: protocol.KindRefunds,
		query: `
			SELECT raw.ts, raw.user_n, line.product, raw.currency, line.units, line.amount_minor, false, false
			FROM ingest.refunds AS raw JOIN ingest.refund_lines AS line ON line.project = raw.project AND line.refund_id = raw.id
			WHERE raw.project = $1 AND raw.ts >= $2 AND raw.ts < $3 AND `,
		fields: lineFields,
		add: func(d *rollup.Deltas, project int16, clock *rollup.Clock, row *rawRow) {
			copy(row.line.Currency[:], row.currency)
			d.AddRefundLine(project, clock, row.line)
		},
	},
}

func lineFields(row *rawRow) []any {
	l := &row.line
	return []any{&l.TS, &l.User, &l.Product, &row.currency, &l.Units, &l.AmountMinor, &l.First, &l.FirstOf}
}
