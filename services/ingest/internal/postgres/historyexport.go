package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// exportRows is how many rows of an export are in memory at a time.
const exportRows = 250

// ExportEvents calls each with the events of a range after a mark, in the order of time and id, as one snapshot has them. It ends
// with the first error of each. The snapshot is held until then, so the caller bounds its time by ctx.
func (s *Store) ExportEvents(ctx context.Context, e history.Export, each func(history.Event, history.Mark) error) error {
	return stream(ctx, s, exportEventsQuery(e), scanRawEvent, func(tx pgx.Tx, events []rawEvent) error {
		w := newWanted()
		for _, stored := range events {
			w.event(stored)
		}
		t, err := readTexts(ctx, tx, e.Project, w)
		if err != nil {
			return err
		}
		for _, stored := range events {
			if err := each(t.event(stored), history.Mark{TS: stored.ts, ID: stored.id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// rawEventColumns are what scanRawEvent scans.
const rawEventColumns = "e.ts, e.id, e.user_n, e.product, e.name, e.batch, e.properties"

func scanRawEvent(row pgx.CollectableRow) (e rawEvent, err error) {
	err = row.Scan(&e.ts, &e.id, &e.user, &e.product, &e.name, &e.batch, &e.properties)
	e.ts = e.ts.UTC()
	return e, err
}

// ExportOrders is ExportEvents for the lines of orders. Each order has one line.
func (s *Store) ExportOrders(ctx context.Context, e history.Export, each func(history.Order, history.Mark) error) error {
	return s.exportLines(ctx, e, exportOrdersQuery(e), func(t texts, o rawOrder, m history.Mark) error {
		return each(t.order(o, []rawLine{o.line}), m)
	})
}

// ExportRefunds is ExportEvents for the lines of refunds. Each refund has one line.
func (s *Store) ExportRefunds(ctx context.Context, e history.Export, each func(history.Refund, history.Mark) error) error {
	return s.exportLines(ctx, e, exportRefundsQuery(e), func(t texts, o rawOrder, m history.Mark) error {
		return each(t.refund(o, []rawLine{o.line}), m)
	})
}

func (s *Store) exportLines(ctx context.Context, e history.Export, q query, each func(texts, rawOrder, history.Mark) error) error {
	scan := func(row pgx.CollectableRow) (o rawOrder, err error) {
		var order uuid.NullUUID
		err = row.Scan(append(o.targets(&order), o.line.targets()...)...)
		o.order, o.ts = order.UUID, o.ts.UTC()
		return o, err
	}
	return stream(ctx, s, q, scan, func(tx pgx.Tx, orders []rawOrder) error {
		t, err := readTexts(ctx, tx, e.Project, ordersWant(orders, nil))
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := each(t, o, history.Mark{TS: o.ts, ID: o.id, Line: o.line.Number}); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportEventsQuery reads by the primary key.
func exportEventsQuery(e history.Export) query {
	q := query{text: "SELECT " + rawEventColumns + " FROM ingest.events e WHERE e.project = "}
	q.text += q.arg(e.Project) + " AND e.ts >= " + q.arg(e.Begin()) + " AND e.ts < " + q.arg(e.Range.To)
	if e.After != nil {
		q.text += " AND (e.ts, e.id) > (" + q.arg(e.After.TS) + ", " + q.arg(e.After.ID) + "::uuid)"
	}
	q.text += " ORDER BY e.ts, e.id"
	return q
}

func exportOrdersQuery(e history.Export) query {
	return exportLinesQuery(e, rawOrderColumns+", "+rawOrderLines,
		"ingest.orders o JOIN ingest.order_lines l ON l.project = o.project AND l.order_id = o.id")
}

func exportRefundsQuery(e history.Export) query {
	return exportLinesQuery(e, rawRefundColumns+", "+rawRefundLines,
		"ingest.refunds o JOIN ingest.refund_lines l ON l.project = o.project AND l.refund_id = o.id")
}

// exportLinesQuery reads by an index (project, ts).
func exportLinesQuery(e history.Export, columns, tables string) query {
	q := query{text: "SELECT " + columns + " FROM " + tables + " WHERE o.project = "}
	q.text += q.arg(e.Project) + " AND o.ts >= " + q.arg(e.Begin()) + " AND o.ts < " + q.arg(e.Range.To)
	if e.After != nil {
		q.text += " AND (o.ts, o.id, l.line) > (" + q.arg(e.After.TS) + ", " + q.arg(e.After.ID) + "::uuid, " + q.arg(e.After.Line) + "::smallint)"
	}
	q.text += " ORDER BY o.ts, o.id, l.line"
	return q
}

// snapshot is a transaction of an export: what it reads is of one moment.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// stream reads the rows of a query through a cursor and hands them over in parts.
func stream[T any](ctx context.Context, s *Store, q query, scan pgx.RowToFunc[T], part func(tx pgx.Tx, rows []T) error) error {
	return postgres.Classify(postgres.InTx(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		return inParts(ctx, tx, q, exportRows, scan, func(rows []T) error { return part(tx, rows) })
	}))
}

// inParts reads the rows of a query in a transaction through a cursor and hands them over in parts of at most size rows.
func inParts[T any](ctx context.Context, tx pgx.Tx, q query, size int, scan pgx.RowToFunc[T], part func([]T) error) error {
	declare := "DECLARE export NO SCROLL CURSOR FOR " + q.text
	if _, err := tx.Exec(ctx, declare, append([]any{pgx.QueryExecModeSimpleProtocol}, q.args...)...); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for {
		fetched, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM export", size), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		rows, err := pgx.CollectRows(fetched, scan)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		if err := part(rows); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "CLOSE export", pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
