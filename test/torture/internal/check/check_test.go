package check_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
)

func TestAWorldInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enqueue()
	archive(w) // its batches were folded by another task
	r, err := w.checker.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) > 0 || r.Events != 3 || r.Orders != 2 || r.Refunds != 1 || r.Batches != 3 || r.Archived != 1 {
		t.Errorf("%+v", r)
	}
}

// archive makes Asynq archive all waiting tasks.
func archive(w *world) {
	w.t.Helper()
	n, err := asynq.NewInspectorFromRedisClient(w.redis).ArchiveAllPendingTasks(redistest.Queue(w.t, w.redis, protocol.BatchReady.Queue))
	if err != nil || n == 0 {
		w.t.Fatalf("%d tasks given up, %v", n, err)
	}
}

// TestEveryDefectIsFound introduces one defect into each world.
func TestEveryDefectIsFound(t *testing.T) {
	t.Parallel()
	unknown := uuid.MustParse("00000000-0000-7000-8000-0000000000ff")
	sql := func(statement string, args ...any) func(*world) { return func(w *world) { w.exec(statement, args...) } }
	for _, test := range []struct {
		name, want string
		spoil      func(*world)
	}{
		{"a lost event", "event 00000000-0000-0000-0000-000000000002 was acknowledged and is lost", sql(`DELETE FROM ingest.events WHERE name = 2`)},
		{"a lost order", "order 00000000-0000-0000-0000-000000000004 was acknowledged and is lost", sql(`DELETE FROM ingest.orders WHERE currency = 'EUR'`)},
		{"a lost refund", "refund 00000000-0000-0000-0000-000000000006 was acknowledged and is lost", sql(`DELETE FROM ingest.refunds`)},
		{"a doubled event", "event 00000000-0000-0000-0000-000000000001 is stored 2 times", sql(
			`INSERT INTO ingest.events SELECT (jsonb_populate_record(e, jsonb_build_object('ts', ts + interval '1s'))).* FROM ingest.events e WHERE name = 1`)},
		{"an order stored again under another id", "is stored and nobody has sent it", sql(
			`INSERT INTO ingest.orders SELECT (jsonb_populate_record(o, jsonb_build_object('id', $1::text))).* FROM ingest.orders o WHERE currency = 'EUR'`, unknown)},
		{"an event that was refused", "is stored and nobody has sent it, or it was refused", sql(
			`INSERT INTO ingest.events SELECT (jsonb_populate_record(e, jsonb_build_object('id', $1::text))).* FROM ingest.events e WHERE name = 1`, unknown)},
		{"a changed user", "UserID:ada Type:view", sql(`UPDATE ingest.events SET user_n = (SELECT n FROM ingest.users WHERE id = 'bob') WHERE name = 1`)},
		{"a changed name", "Type:Signed Up", sql(`UPDATE ingest.events SET name = 2 WHERE name = 16`)},
		{"a product that nobody sent", "Type:Signed Up", sql(`UPDATE ingest.events SET product = (SELECT n FROM catalog.products) WHERE name = 16`)},
		{"changed properties", "Type:view Properties", sql(`UPDATE ingest.events SET properties = '{"page":"/p/1","n":8}' WHERE name = 1`)},
		{"lost properties", "Type:view Properties", sql(`UPDATE ingest.events SET properties = NULL WHERE name = 1`)},
		{"a changed amount", "AmountMinor:301", sql(`UPDATE ingest.order_lines SET amount_minor = 301 WHERE amount_minor = 300`)},
		{"a lost line", "Quantity:3", sql(`DELETE FROM ingest.order_lines WHERE line = 2`)},
		{"a changed currency", "Currency:USD", sql(`UPDATE ingest.orders SET currency = 'USD' WHERE currency = 'JPY'`)},
		{"a changed time", "and is stored as", sql(`UPDATE ingest.orders SET ts = ts + interval '1us'`)},
		{"a changed refund", "AmountMinor:20001", sql(`UPDATE ingest.refund_lines SET amount_minor = 20001`)},
		{"another batch than was told", "and its client was told", func(w *world) { w.checker.Account.Stored[itemID(1)] = batches[1] }},
		{"a changed rollup of days", "stats.daily [ 2026-03-14]", sql(`UPDATE stats.daily_stats SET views = views + 1 WHERE lane = 1`)},
		{"a changed rollup of hours", "stats.hourly [ 2026-03-15 01]", sql(`UPDATE stats.hourly_stats SET units = 3 WHERE units = 4`)},
		{"a row of another hour", "stats.hourly has no row [ 2026-03-15 01]", sql(`UPDATE stats.hourly_stats SET hour = hour - interval '1h' WHERE units = 4`)},
		{"a changed rollup of products", "stats.product_daily [", sql(`UPDATE stats.product_daily_stats SET units = units - 1 WHERE units > 0`)},
		{"a changed rollup of users", "stats.user_daily [ada 2026-03-14]", sql(`UPDATE stats.user_daily_stats SET events = 0 WHERE views > 0`)},
		{"a changed rollup of names", "stats.name_daily [Signed Up 2026-03-14]", sql(`UPDATE stats.name_daily_stats SET events = 2 WHERE name = 16`)},
		{"a name of a product that has none", "stats.product_name_daily [", sql(`INSERT INTO stats.product_name_daily_stats (project, product, name, day, lane, events) SELECT 1, n, 16, '2026-03-14', 0, 1 FROM catalog.products`)},
		{"changed money", "stats.daily_money [JPY 2026-03-14]", sql(`UPDATE stats.daily_revenue SET refunded_minor = 0 WHERE lane = 1`)},
		{"money of another currency", "stats.user_daily_money [bob USD 2026-03-14]", sql(`UPDATE stats.user_daily_revenue SET currency = 'USD' WHERE currency = 'EUR'`)},
		{"money of a product", "stats.product_daily_money [", sql(`UPDATE stats.product_daily_revenue SET orders = 2 WHERE orders = 1`)},
		{"a missing rollup", "stats.user_daily has no row [bob 2026-03-11]", sql(`DELETE FROM stats.user_daily_stats WHERE day = '2026-03-11'`)},
		{"a rollup of nothing", "stats.daily [ 2026-03-01]", sql(`INSERT INTO stats.daily_stats (project, day, lane, events) VALUES (1, '2026-03-01', 0, 1)`)},
		{"a receipt that tells of too many", "it tells of 4 rows", sql(`UPDATE ingest.batches SET rows = 4 WHERE kind = 'events'`)},
		{"receipts whose sum is wrong", "receipts tell of 8 rows in all, and there are 7", sql(`UPDATE ingest.batches SET rows = 4 WHERE kind = 'events'`)},
		{"a receipt of the future", "aggregated before it was received", sql(`UPDATE ingest.batches SET received_at = now() + interval '1h'`)},
		{"a receipt that is gone", "there is none", sql(`DELETE FROM ingest.batches WHERE kind = 'orders'`)},
		{"a receipt that never was", "which has 0 rows: there is none", func(w *world) {
			w.checker.Account.Batches = append(w.checker.Account.Batches[:3:3], "4711")
		}},
		{"a pending receipt", "it is stored", sql(`UPDATE ingest.batches SET aggregated_at = NULL`)},
		{"a pending batch", "3 batches are left pending", sql(`UPDATE ingest.batches SET aggregated_at = NULL`)},
		{"a task left over", "1 tasks are left in the queue", func(w *world) { w.enqueue() }},
		{"an archived task of a pending batch", "3 batches are left pending", func(w *world) {
			w.exec(`UPDATE ingest.batches SET aggregated_at = NULL`)
			w.enqueue()
			archive(w)
		}},
		{"a queue that nobody sees", "its name is lost", func(w *world) {
			w.enqueue()
			w.redis.SRem(w.t.Context(), "asynq:queues", redistest.Queue(w.t, w.redis, protocol.BatchReady.Queue))
		}},
		{"a recount with differences", "reconcile is not content", func(w *world) {
			w.report, w.failed = "stats.daily 2026-03-14: events is 1, recounted 2\nRecounted 1 days, 4 raw rows, 9 rollup rows in 1ms: 1 differences.\n", true
		}},
		{"a recount that leaves rows out", "reconcile is not content", func(w *world) {
			w.report = "3 rows are not folded yet and therefore not counted\n" + w.report
		}},
		{"an answer that cannot be", "impossible", func(w *world) { w.checker.Account.Problems = []string{"impossible"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.spoil(w)
			r, err := w.checker.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(r.Findings, "\n"), test.want) {
				t.Errorf("want %q, found %q", test.want, r.Findings)
			}
		})
	}
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	remaining := func(want check.Left) {
		t.Helper()
		if got, err := check.Remaining(t.Context(), w.db, w.checker.Queue); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	remaining(check.Left{})
	w.exec(`UPDATE ingest.batches SET aggregated_at = NULL WHERE kind = 'events'`)
	w.enqueue()
	remaining(check.Left{Batches: 1, Tasks: 1})
}
