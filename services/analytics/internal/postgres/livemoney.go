package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

// liveMoneyQuery reads the orders of batches, a row for each line that is shown, with the sum of all lines. %ORDERS and the other names
// stand for the tables and columns of orders or of refunds.
const liveMoneyQuery = `
	SELECT news.nth, o.ts, o.id, users.anonymous, coalesce(users.id, ''), o.of, coalesce(o.number, ''), o.currency, o.lines, l.total::bigint,
	       products.id, coalesce(products.sku, ''), l.units, l.amount_minor
	FROM unnest(@projects::smallint[], @ids::bigint[], @from::timestamptz[], @to::timestamptz[], @rows::bigint[])
		WITH ORDINALITY AS news (project, id, min_ts, max_ts, rows, nth)
	CROSS JOIN LATERAL (
		SELECT ts, id, user_n, of, number, currency, lines
		FROM (
			SELECT ts, id, user_n, %OF AS of, number, currency, lines, batch
			FROM %ORDERS
			WHERE project = news.project AND ts >= news.min_ts AND ts <= news.max_ts
			ORDER BY ts DESC
			LIMIT @scanned + @scanned_for_row * news.rows
		) AS near
		WHERE batch = news.id
		LIMIT news.rows
	) AS o
	CROSS JOIN LATERAL (
		SELECT line, product, %UNITS AS units, amount_minor, sum(amount_minor) OVER () AS total
		FROM %LINES
		WHERE project = news.project AND %KEY = o.id
		ORDER BY line
		LIMIT @lines
	) AS l
	LEFT JOIN LATERAL (SELECT anonymous, id FROM ingest.users WHERE project = news.project AND n = o.user_n LIMIT 1) AS users ON true
	LEFT JOIN LATERAL (SELECT id, sku FROM catalog.products WHERE project = news.project AND n = l.product LIMIT 1) AS products ON true
	ORDER BY news.nth, o.ts, o.id, l.line`

var liveMoneyQueries = map[live.Sort]string{
	live.Order: strings.NewReplacer("%ORDERS", "ingest.orders", "%LINES", "ingest.order_lines", "%KEY", "order_id", "%UNITS", "quantity",
		"%OF", "NULL::uuid").Replace(liveMoneyQuery),
	live.Refund: strings.NewReplacer("%ORDERS", "ingest.refunds", "%LINES", "ingest.refund_lines", "%KEY", "refund_id", "%UNITS", "units",
		"%OF", "order_id").Replace(liveMoneyQuery),
}

// addMoney reads the orders or the refunds of those batches that have some.
func (l *Live) addMoney(ctx context.Context, found []received, sort live.Sort) error {
	var of []int // places in found
	var projects []int16
	var ids, counts []int64
	var from, to []time.Time
	for i := range found {
		if b := &found[i]; b.Sort == sort {
			of, projects, ids, counts = append(of, i), append(projects, b.Project), append(ids, b.ID), append(counts, int64(b.Rows))
			from, to = append(from, b.from), append(to, b.to)
		}
	}
	if len(of) == 0 {
		return nil
	}
	rows, err := l.store.pool.Query(ctx, liveMoneyQueries[sort], pgx.NamedArgs{
		"projects": projects, "ids": ids, "from": from, "to": to, "rows": counts,
		"lines": live.MaxLines, "scanned": liveScanned, "scanned_for_row": liveScannedForRow,
	})
	if err != nil {
		return fmt.Errorf("orders or refunds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		nth, e, line, err := scanLiveMoney(rows)
		if err != nil {
			return fmt.Errorf("an order or a refund: %w", err)
		}
		b := &found[of[nth-1]]
		last := len(b.Events) - 1
		if last < 0 || b.Events[last].ID != e.ID {
			b.Events = append(b.Events, e)
			last++
		}
		b.Events[last].Money.Lines = append(b.Events[last].Money.Lines, line)
	}
	return rows.Err()
}

// scanLiveMoney reads a row of liveMoneyQuery: an order or a refund of the nth batch with one of its lines.
func scanLiveMoney(rows pgx.Rows) (nth int, e live.Event, line live.Line, err error) {
	money := &live.Money{}
	var of, product uuid.NullUUID
	var anonymous *bool
	var user string
	err = rows.Scan(&nth, &e.TS, &e.ID, &anonymous, &user, &of, &money.Number, &money.Currency, &money.Count, &money.AmountMinor,
		&product, &line.SKU, &line.Units, &line.AmountMinor)
	money.Order, line.ProductID = of.UUID, product.UUID
	e.TS, e.Money = e.TS.UTC(), money
	setUser(&e, anonymous, user)
	return nth, e, line, err
}
