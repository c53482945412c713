package check_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// world is a small idle platform and the matching account of its clients.
type world struct {
	t       *testing.T
	db      *pgxpool.Pool
	redis   *redis.Client
	checker check.Checker
	report  string // of reconcile
	failed  bool
}

var (
	// now is in a zone whose hours begin at half past those of UTC.
	now     = time.Date(2026, 3, 14, 3, 56, 53, 0, time.UTC)
	late    = time.Date(2026, 3, 14, 19, 40, 0, 0, time.UTC) // 01:10 of the next day
	product = uuid.MustParse("00000000-0000-7000-8000-000000000001")
	batches = []string{"1000", "2000", "3000"}
)

func itemID(n byte) uuid.UUID { return uuid.UUID{15: n} }

func newWorld(t *testing.T) *world {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, db: dbtest.New(t).Pool(""), redis: redistest.Client(t, redistest.New(t)),
		report: "Recounted 3 days, 7 raw rows, 9 rollup rows in 3ms: 0 differences.\n",
	}
	w.checker = check.Checker{
		DB: w.db, Zone: zone, Account: account(), Queue: check.NewQueue(w.redis), Receipt: w.receipt,
		Reconcile: func(context.Context) (string, bool, error) { return w.report, w.failed, nil },
	}
	w.exec(`SELECT ingest.ensure_partitions('2026-03-10', '2026-03-15')`)
	w.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES ($1, 1, 'A', 'A', 100, 'EUR')`, product)
	w.exec(`INSERT INTO ingest.users (project, anonymous, id) VALUES (1, false, 'ada'), (1, false, 'bob')`)
	w.exec(`INSERT INTO ingest.names (project, n, name) VALUES (1, 1, 'view'), (1, 2, 'click'), (1, 16, 'Signed Up')`)
	w.exec(`INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts, received_at, aggregated_at) VALUES
		(1000, 1, 'events', 3, now(), now(), now(), now() + interval '1s'), (2000, 1, 'orders', 3, now(), now(), now(), now() + interval '1s'),
		(3000, 1, 'refunds', 1, now(), now(), now(), now() + interval '1s')`)
	for id, e := range w.checker.Account.Events {
		w.exec(`INSERT INTO ingest.events (project, ts, id, product, user_n, name, properties, batch)
			SELECT 1, $1, $2, (SELECT n FROM catalog.products WHERE id = $3), u.n, d.n, nullif($6, ''), 1000
			FROM ingest.users AS u, ingest.names AS d WHERE u.id = $4 AND d.name = $5`, e.TS, id, e.ProductID, e.UserID, e.Type, e.Properties)
	}
	w.exec(`INSERT INTO ingest.orders (project, ts, user_n, batch, id, lines, currency, content_hash)
		SELECT 1, $1::timestamptz, n, 2000, $2::uuid, 1, 'EUR', ''::bytea FROM ingest.users WHERE id = 'bob'
		UNION ALL SELECT 1, $3::timestamptz, n, 2000, $4::uuid, 2, 'JPY', ''::bytea FROM ingest.users WHERE id = 'ada'`, now, itemID(4), late, itemID(5))
	w.exec(`INSERT INTO ingest.order_lines (project, ts, order_id, line, product, quantity, amount_minor)
		SELECT 1, l.ts, l.id, l.line, n, l.quantity, l.amount
		FROM catalog.products, (VALUES ($1::timestamptz, $2::uuid, 1, 2, 300), ($3::timestamptz, $4::uuid, 1, 1, 50000), ($3, $4, 2, 3, 0)) AS l (ts, id, line, quantity, amount)`,
		now, itemID(4), late, itemID(5))
	w.exec(`INSERT INTO ingest.refunds (project, ts, user_n, batch, id, order_id, lines, currency, content_hash)
		SELECT 1, $1, n, 3000, $2, $3, 1, 'JPY', ''::bytea FROM ingest.users WHERE id = 'ada'`, now, itemID(6), itemID(5))
	w.exec(`INSERT INTO ingest.refund_lines (project, refund_id, line, product, units, amount_minor)
		SELECT 1, $1, 1, n, 1, 20000 FROM catalog.products`, itemID(6))
	w.rollUp()
	return w
}

func account() ledger.Account {
	a := ledger.Account{
		Events: map[uuid.UUID]ledger.Event{}, Purchases: map[uuid.UUID]ledger.Purchase{}, Orders: map[uuid.UUID]ledger.Order{},
		Refunds: map[uuid.UUID]ledger.Refund{}, Batches: batches, Stored: map[uuid.UUID]string{itemID(1): "1000", itemID(4): "2000"},
	}
	for _, e := range []ledger.Event{
		{ID: itemID(1), TS: now, ProductID: product, UserID: "ada", Type: "view", Properties: `{"page":"/p/1","n":7}`},
		{ID: itemID(2), TS: now.AddDate(0, 0, -3), ProductID: product, UserID: "bob", Type: "click"},
		{ID: itemID(3), TS: now, UserID: "ada", Type: "Signed Up"},
	} {
		a.Events[e.ID] = e
	}
	a.Purchases[itemID(4)] = ledger.Purchase{
		ID: itemID(4), TS: now, ProductID: product, UserID: "bob", Quantity: 2, AmountMinor: 300, Currency: "EUR", Key: "order-4",
	}
	a.Orders[itemID(5)] = ledger.Order{ID: itemID(5), TS: late, UserID: "ada", Currency: "JPY", Lines: []ledger.Line{
		{ProductID: product, Quantity: 1, AmountMinor: 50_000}, {ProductID: product, Quantity: 3},
	}}
	a.Refunds[itemID(6)] = ledger.Refund{
		ID: itemID(6), OrderID: itemID(5), TS: now, Lines: map[int]ledger.Back{1: {Units: 1, AmountMinor: 20_000}},
	}
	return a
}

// rollUp writes the rollups, in two lanes. The order of late is counted on the next day of its zone.
func (w *world) rollUp() {
	w.t.Helper()
	const columns = "lane, events, views, clicks, add_to_carts, purchases, units"
	w.exec(`INSERT INTO stats.daily_stats (project, day, ` + columns + `) VALUES
		(1, '2026-03-14', 0, 1, 1, 0, 0, 1, 2), (1, '2026-03-14', 1, 1, 0, 0, 0, 0, 0), (1, '2026-03-11', 0, 1, 0, 1, 0, 0, 0),
		(1, '2026-03-15', 0, 0, 0, 0, 0, 1, 4)`)
	w.exec(`INSERT INTO stats.hourly_stats (project, hour, ` + columns + `) VALUES
		(1, '2026-03-14 09:00+05:30', 0, 2, 1, 0, 0, 1, 2), (1, '2026-03-11 09:00+05:30', 0, 1, 0, 1, 0, 0, 0),
		(1, '2026-03-15 01:00+05:30', 0, 0, 0, 0, 0, 1, 4)`)
	w.exec(`INSERT INTO stats.product_daily_stats (project, product, day, ` + columns + `)
		SELECT 1, n, v.* FROM catalog.products, (VALUES
			(date '2026-03-14', 0, 1, 1, 0, 0, 1, 2), ('2026-03-11', 0, 1, 0, 1, 0, 0, 0), ('2026-03-15', 0, 0, 0, 0, 0, 1, 4)) AS v`)
	w.exec(`INSERT INTO stats.user_daily_stats (project, user_n, day, ` + columns + `)
		SELECT 1, u.n, v.day, v.lane, v.events, v.views, v.clicks, 0, v.purchases, v.units FROM ingest.users AS u, (VALUES
			('ada', date '2026-03-14', 0, 2, 1, 0, 0, 0), ('bob', '2026-03-14', 0, 0, 0, 0, 1, 2), ('bob', '2026-03-11', 0, 1, 0, 1, 0, 0),
			('ada', '2026-03-15', 0, 0, 0, 0, 1, 4)) AS v (id, day, lane, events, views, clicks, purchases, units)
		WHERE u.id = v.id`)
	w.exec(`INSERT INTO stats.name_daily_stats (project, name, day, lane, events) VALUES
		(1, 1, '2026-03-14', 0, 1), (1, 2, '2026-03-11', 0, 1), (1, 16, '2026-03-14', 0, 1)`)
	const money = "lane, gross_minor, refunded_minor, orders, units, refunded_units"
	w.exec(`INSERT INTO stats.daily_revenue (project, day, currency, ` + money + `) VALUES
		(1, '2026-03-14', 'EUR', 0, 300, 0, 1, 2, 0), (1, '2026-03-15', 'JPY', 0, 50000, 0, 1, 4, 0), (1, '2026-03-14', 'JPY', 1, 0, 20000, 0, 0, 1)`)
	w.exec(`INSERT INTO stats.product_daily_revenue (project, product, day, currency, ` + money + `)
		SELECT 1, p.n, r.day, r.currency, ` + money + ` FROM (SELECT n FROM catalog.products) AS p, stats.daily_revenue AS r`)
	w.exec(`INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, ` + money + `)
		SELECT 1, n, day, currency, ` + money + ` FROM ingest.users, stats.daily_revenue WHERE id = CASE currency WHEN 'EUR' THEN 'bob' ELSE 'ada' END`)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// receipt returns the receipt that ingest would return.
func (w *world) receipt(ctx context.Context, batch string) (r check.Receipt, found bool, err error) {
	const query = `SELECT id::text, rows, received_at, aggregated_at, CASE WHEN aggregated_at IS NULL THEN 'stored' ELSE 'aggregated' END
		FROM ingest.batches WHERE id = $1::text::bigint`
	err = w.db.QueryRow(ctx, query, batch).Scan(&r.BatchID, &r.Events, &r.ReceivedAt, &r.AggregatedAt, &r.State)
	if errors.Is(err, pgx.ErrNoRows) {
		return check.Receipt{}, false, nil
	}
	return r, err == nil, err
}

// enqueue adds a wake-up task that no worker takes.
func (w *world) enqueue() {
	w.t.Helper()
	client := tasks.NewClient(w.redis, time.Second)
	if err := protocol.BatchReady.Enqueue(w.t.Context(), client); err != nil {
		w.t.Fatal(err)
	}
}
