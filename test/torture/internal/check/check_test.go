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
	if len(r.Findings) > 0 || r.Events != 3 || r.Purchases != 1 || r.Batches != 2 || r.Archived != 1 {
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
		{"a lost event", "event 00000000-0000-0000-0000-000000000002 was acknowledged and is lost", sql(`DELETE FROM ingest.events WHERE type = 'click'`)},
		{"a lost purchase", "purchase 00000000-0000-0000-0000-000000000004 was acknowledged and is lost", sql(`DELETE FROM ingest.purchases`)},
		{"a doubled event", "event 00000000-0000-0000-0000-000000000001 is stored 2 times", sql(
			`INSERT INTO ingest.events SELECT (jsonb_populate_record(e, jsonb_build_object('ts', ts + interval '1s'))).* FROM ingest.events e WHERE type = 'view'`)},
		{"a doubled purchase", "purchase 00000000-0000-0000-0000-000000000004 is stored 2 times", sql(
			`INSERT INTO ingest.purchases SELECT (jsonb_populate_record(p, jsonb_build_object('ts', ts + interval '1s'))).* FROM ingest.purchases p`)},
		{"a purchase stored again under another id", "is stored and nobody has sent it", sql(
			`INSERT INTO ingest.purchases SELECT (jsonb_populate_record(p, jsonb_build_object('id', $1::text))).* FROM ingest.purchases p`, unknown)},
		{"an event that was refused", "is stored and nobody has sent it, or it was refused", sql(
			`INSERT INTO ingest.events SELECT (jsonb_populate_record(e, jsonb_build_object('id', $1::text))).* FROM ingest.events e WHERE type = 'view'`, unknown)},
		{"a changed user", "UserID:ada Type:view", sql(`UPDATE ingest.events SET user_id = 'eve' WHERE type = 'view'`)},
		{"changed properties", "Type:view Properties", sql(`UPDATE ingest.events SET properties = '{"page":"/p/1","n":8}' WHERE type = 'view'`)},
		{"lost properties", "Type:view Properties", sql(`UPDATE ingest.events SET properties = NULL WHERE type = 'view'`)},
		{"a changed amount", "AmountMinor:301", sql(`UPDATE ingest.purchases SET amount_minor = 301`)},
		{"a changed time", "and is stored as", sql(`UPDATE ingest.purchases SET ts = ts + interval '1us'`)},
		{"another batch than was told", "and its client was told", func(w *world) { w.checker.Account.Stored[eventID(1)] = batches[1] }},
		{"a changed rollup of days", "stats.daily [ 2026-03-14]", sql(`UPDATE stats.daily_stats SET views = views + 1 WHERE lane = 1`)},
		{"a changed rollup of products", "stats.product_daily [", sql(`UPDATE stats.product_daily_stats SET units = units - 1 WHERE units > 0`)},
		{"a changed rollup of users", "stats.user_daily [ada 2026-03-14]", sql(`UPDATE stats.user_daily_stats SET events = 0 WHERE user_id = 'ada'`)},
		{"a changed rollup of types", "stats.product_type_daily [", sql(`UPDATE stats.product_type_daily_stats SET events = 2`)},
		{"a missing rollup", "stats.user_daily has no row [bob 2026-03-11]", sql(`DELETE FROM stats.user_daily_stats WHERE day = '2026-03-11'`)},
		{"a rollup of nothing", "stats.daily [ 2026-03-01]", sql(`INSERT INTO stats.daily_stats (day, lane, events) VALUES ('2026-03-01', 0, 1)`)},
		{"a receipt that tells of too many", "it tells of 4 rows", sql(`UPDATE ingest.batches SET rows = 4 WHERE kind = 'events'`)},
		{"receipts whose sum is wrong", "receipts tell of 5 rows in all, and there are 4", sql(`UPDATE ingest.batches SET rows = 4 WHERE kind = 'events'`)},
		{"a receipt of the future", "aggregated before it was received", sql(`UPDATE ingest.batches SET received_at = now() + interval '1h'`)},
		{"a receipt that is gone", "there is none", sql(`DELETE FROM ingest.batches WHERE kind = 'purchases'`)},
		{"a receipt that never was", "which has 0 rows: there is none", func(w *world) {
			w.checker.Account.Batches = append(w.checker.Account.Batches[:2:2], unknown)
		}},
		{"a pending receipt", "it is stored", sql(`UPDATE ingest.batches SET aggregated_at = NULL`)},
		{"a pending batch", "2 batches are left pending", sql(`UPDATE ingest.batches SET aggregated_at = NULL`)},
		{"a task left over", "1 tasks are left in the queue", func(w *world) { w.enqueue() }},
		{"an archived task of a pending batch", "2 batches are left pending", func(w *world) {
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
