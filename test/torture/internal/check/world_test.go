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
	now     = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	product = uuid.MustParse("00000000-0000-7000-8000-000000000001")
	batches = []uuid.UUID{uuid.MustParse("00000000-0000-7000-8000-0000000000b1"), uuid.MustParse("00000000-0000-7000-8000-0000000000b2")}
)

func eventID(n byte) uuid.UUID { return uuid.UUID{15: n} }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, db: dbtest.New(t).Pool(""), redis: redistest.Client(t, redistest.New(t)),
		report: "Recounted 2 days, 4 raw rows, 9 rollup rows in 3ms: 0 differences.\n",
	}
	w.checker = check.Checker{
		DB: w.db, Account: account(), Queue: check.NewQueue(w.redis), Receipt: w.receipt,
		Reconcile: func(context.Context) (string, bool, error) { return w.report, w.failed, nil },
	}
	w.exec(`SELECT ingest.ensure_partitions('2026-03-10', '2026-03-15')`)
	w.exec(`INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts, received_at, aggregated_at) VALUES
		($1, 'events', 3, now(), now(), now(), now() + interval '1s'), ($2, 'purchases', 1, now(), now(), now(), now() + interval '1s')`,
		batches[0], batches[1])
	for id, e := range w.checker.Account.Events {
		w.exec(`INSERT INTO ingest.events (owner, ts, id, product_id, user_id, type, properties, batch_id, received_at)
			VALUES (1, $1, $2, $3, $4, $5, nullif($6, '')::jsonb, $7, now())`, e.TS, id, e.ProductID, e.UserID, e.Type, e.Properties, batches[0])
	}
	for id, p := range w.checker.Account.Purchases {
		w.exec(`INSERT INTO ingest.purchases (owner, ts, id, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at)
			VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, now())`, p.TS, id, p.ProductID, p.UserID, p.Quantity, p.AmountMinor, p.Currency, batches[1])
	}
	w.rollUp()
	return w
}

func account() ledger.Account {
	a := ledger.Account{
		Events: map[uuid.UUID]ledger.Event{}, Purchases: map[uuid.UUID]ledger.Purchase{}, Batches: batches,
		Stored: map[uuid.UUID]uuid.UUID{eventID(1): batches[0], eventID(4): batches[1]},
	}
	for _, e := range []ledger.Event{
		{ID: eventID(1), TS: now, ProductID: product, UserID: "ada", Type: "view", Properties: `{"page":"/p/1","n":7}`},
		{ID: eventID(2), TS: now.AddDate(0, 0, -3), ProductID: product, UserID: "bob", Type: "click"},
		{ID: eventID(3), TS: now, ProductID: product, UserID: "ada", Type: "search"},
	} {
		a.Events[e.ID] = e
	}
	a.Purchases[eventID(4)] = ledger.Purchase{
		ID: eventID(4), TS: now, ProductID: product, UserID: "bob", Quantity: 2, AmountMinor: 300, Currency: "EUR", Key: "order-4",
	}
	return a
}

// rollUp writes the rollups, in two lanes.
func (w *world) rollUp() {
	w.t.Helper()
	const columns = "events, views, clicks, add_to_carts, purchases, units, revenue_minor"
	w.exec(`INSERT INTO stats.daily_stats (day, lane, ` + columns + `) VALUES
		('2026-03-14', 0, 1, 1, 0, 0, 1, 2, 300), ('2026-03-14', 1, 1, 0, 0, 0, 0, 0, 0), ('2026-03-11', 0, 1, 0, 1, 0, 0, 0, 0)`)
	w.exec(`INSERT INTO stats.product_daily_stats (product_id, day, lane, `+columns+`) VALUES
		($1, '2026-03-14', 0, 2, 1, 0, 0, 1, 2, 300), ($1, '2026-03-11', 0, 1, 0, 1, 0, 0, 0, 0)`, product)
	w.exec(`INSERT INTO stats.user_daily_stats (user_id, day, lane, ` + columns + `) VALUES
		('ada', '2026-03-14', 0, 2, 1, 0, 0, 0, 0, 0), ('bob', '2026-03-14', 0, 0, 0, 0, 0, 1, 2, 300), ('bob', '2026-03-11', 0, 1, 0, 1, 0, 0, 0, 0)`)
	w.exec(`INSERT INTO stats.product_type_daily_stats (product_id, day, type, lane, events) VALUES ($1, '2026-03-14', 'search', 0, 1)`, product)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// receipt returns the receipt that ingest would return.
func (w *world) receipt(ctx context.Context, batch uuid.UUID) (r check.Receipt, found bool, err error) {
	const query = `SELECT id, rows, received_at, aggregated_at, CASE WHEN aggregated_at IS NULL THEN 'stored' ELSE 'aggregated' END
		FROM ingest.batches WHERE id = $1`
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
