package erase_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/protocol/inserts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/erase"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// books are folded rollups of five days with the rows behind them.
type books struct {
	t     *testing.T
	pool  *pgxpool.Pool // as the aggregator uses it
	store postgres.Store
	*batchtest.Writer
}

func newBooks(t *testing.T) *books {
	t.Helper()
	database := dbtest.New(t)
	pool := database.Pool("hp_aggregator")
	b := &books{t: t, pool: pool, store: postgres.Store{Pool: pool, Lanes: 4, Rows: 300}, Writer: batchtest.New(t, database, 5)}
	b.write(b.Writer, 40)
	return b
}

// write commits batches and folds them.
func (b *books) write(w *batchtest.Writer, batches int) {
	b.t.Helper()
	for range batches {
		w.Batch(w.Size(30))
	}
	b.fold()
}

func (b *books) fold() {
	b.t.Helper()
	for b.Pending() > 0 {
		if _, err := b.store.Fold(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *books) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.Pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// one returns the only value of a query.
func one[T any](b *books, sql string, args ...any) (value T) {
	b.t.Helper()
	if err := b.Pool.QueryRow(b.t.Context(), sql, args...).Scan(&value); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// ask asks for the erasure of a user of a project.
func (b *books) ask(project int16, anonymous bool, id string) uuid.UUID {
	b.t.Helper()
	receipt, salt := uuid.Must(uuid.NewV7()), erased.NewSalt()
	b.exec(`INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by) VALUES ($1, $2, $3, $4, $5, $6, 'test')`,
		project, receipt, anonymous, id, salt, erased.Digest(salt, anonymous, id))
	return receipt
}

// step is one step of a process that ends after it.
func (b *books) step() erase.Progress {
	b.t.Helper()
	progress, err := (&erase.Eraser{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}).Step(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return progress
}

// erase does all that is asked for, in one process, and returns the number of steps.
func (b *books) erase() (steps int) {
	b.t.Helper()
	eraser := &erase.Eraser{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}
	for {
		switch progress, err := eraser.Step(b.t.Context()); {
		case err != nil:
			b.t.Fatal(err)
		case progress == erase.Idle:
			return steps
		}
		steps++
	}
}

// sums are what must not change: the counts and the money of all days.
func (b *books) sums() string {
	b.t.Helper()
	return one[string](b, `
		SELECT coalesce((SELECT string_agg(d::text, ' ' ORDER BY project, day) FROM stats.daily AS d), '')
			|| coalesce((SELECT string_agg(d::text, ' ' ORDER BY project, day, currency) FROM stats.daily_money AS d), '')
			|| coalesce((SELECT string_agg(d::text, ' ' ORDER BY project, hour) FROM stats.hourly AS d), '')
			|| coalesce((SELECT string_agg(d::text, ' ' ORDER BY project, product, day) FROM stats.product_daily AS d), '')
			|| coalesce((SELECT string_agg(d::text, ' ' ORDER BY project, name, day) FROM stats.name_daily AS d), '')`)
}

// rowsOf returns how many rows are of some users, by table.
func (b *books) rowsOf(numbers []int64) map[string]int {
	b.t.Helper()
	left := map[string]int{}
	for _, table := range []string{"ingest.events", "ingest.orders", "ingest.refunds", "stats.user_daily_stats", "stats.user_daily_revenue"} {
		left[table] = one[int](b, `SELECT count(*) FROM `+table+` WHERE user_n = ANY($1)`, numbers)
	}
	left["ingest.users"] = one[int](b, `SELECT count(*) FROM ingest.users WHERE n = ANY($1) OR person = ANY($1)`, numbers)
	return left
}

var nothing = map[string]int{
	"ingest.events": 0, "ingest.orders": 0, "ingest.refunds": 0, "ingest.users": 0, "stats.user_daily_stats": 0, "stats.user_daily_revenue": 0,
}

// equal checks that the rollups are those of the raw rows.
func (b *books) equal() {
	b.t.Helper()
	var out strings.Builder
	report, err := reconcile.Run(b.t.Context(), b.pool, reconcile.Options{Details: &out})
	if err != nil || report.Differences != 0 || report.Rows == 0 {
		b.t.Errorf("%d differences, %v:\n%s", report.Differences, err, out.String())
	}
}

// join makes an anonymous id of a user, with rows of its own from before, and returns its number.
func (b *books) join(person int64, id string, taken int64) int64 {
	b.t.Helper()
	b.exec(`UPDATE ingest.users SET anonymous = true, id = $2, person = $3, joined_at = now() WHERE n = $1`, taken, id, person)
	return taken
}

// TestNothingIsLeft erases a user with a visitor that was joined, in every process a step: each is killed after it.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"user id", "anonymous id"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			shop := b.InProject("shop", "Asia/Kolkata")
			b.write(shop, 10)
			person, visitor := b.Users[0], b.join(b.Users[0], "v", b.Users[1])
			numbers := []int64{person, visitor}
			before, had, others := b.sums(), b.rowsOf(numbers), b.rowsOf(shop.Users)
			receipt := b.ask(1, by != "user id", map[string]string{"user id": "user-1", "anonymous id": "v"}[by])
			steps := 0
			for b.step() != erase.Idle {
				steps++
			}
			if diff := cmp.Diff(nothing, b.rowsOf(numbers)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(others, b.rowsOf(shop.Users)); diff != "" {
				t.Errorf("of the other project (-before +after):\n%s", diff)
			}
			if after := b.sums(); after != before {
				t.Errorf("the sums were\n%s\nand are\n%s", before, after)
			}
			b.equal()
			removed := one[map[string]int](b, `SELECT removed FROM ingest.erasures WHERE id = $1 AND state = 'done' AND subject IS NULL`, receipt)
			delete(removed, "stats.daily_user_sets")
			if diff := cmp.Diff(had, removed); diff != "" || had["ingest.events"] == 0 || had["ingest.orders"] == 0 || had["ingest.refunds"] == 0 {
				t.Errorf("the receipt (-had +removed):\n%s", diff)
			}
			if kept := one[int](b, `SELECT count(*) FROM ingest.events WHERE user_n = 0 AND properties IS NOT NULL`); kept != 0 {
				t.Errorf("%d events of nobody have properties", kept)
			}
			if steps < 10 {
				t.Errorf("it took %d steps, so fewer interruptions than days", steps)
			}
		})
	}
}

// TestRefundsOfNobody pays back orders of a user who was erased, and erases another one after that.
func TestRefundsOfNobody(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.ask(1, false, "user-1")
	b.erase()
	batch := b.Refunds(300)
	if n := one[int](b, `SELECT count(*) FROM ingest.refunds WHERE batch = $1 AND user_n = 0`, batch); n == 0 {
		t.Fatal("no refund is of nobody")
	}
	if _, err := b.store.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if failed := one[*string](b, `SELECT failure FROM ingest.batches WHERE id = $1`, batch); failed != nil {
		t.Fatalf("the refunds are not folded: %s", *failed)
	}
	b.equal()
	b.ask(1, false, "user-2")
	b.erase()
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:2])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	b.equal()
}

// TestRowsThatComeBackAreCountedToo puts a row of the user back when all days are done, as a rebuild can that began before.
func TestRowsThatComeBackAreCountedToo(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	had := b.rowsOf(b.Users[:1])
	receipt := b.ask(1, false, "user-1")
	for !one[bool](b, `SELECT phase = 'rollups' AND coalesce(reached = days[cardinality(days)], false) FROM ingest.erasures WHERE id = $1`, receipt) {
		b.step()
	}
	b.exec(`INSERT INTO stats.user_daily_stats (project, user_n, day, lane) VALUES (1, $1, '2026-01-02', 0)`, b.Users[0])
	b.erase()
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	removed := one[map[string]int](b, `SELECT removed FROM ingest.erasures WHERE id = $1 AND state = 'done'`, receipt)
	if got, want := removed["stats.user_daily_stats"], had["stats.user_daily_stats"]+1; got != want {
		t.Errorf("the receipt counts %d rows, want %d", got, want)
	}
	if got, want := removed["stats.user_daily_revenue"], had["stats.user_daily_revenue"]; got != want {
		t.Errorf("the receipt counts %d rows of revenue, want %d", got, want)
	}
}

// TestABatchWithTheNumbersHoldsItUp checks that nothing is lost that was committed before the user left, and that a failed batch is
// waited for and named.
func TestABatchWithTheNumbersHoldsItUp(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	receipt := b.ask(1, false, "user-1")
	failed := b.Events(50)
	b.exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'why' WHERE id = $1`, failed)
	b.Events(30) // pending
	eraser := &erase.Eraser{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}
	for range 5 {
		if _, err := eraser.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.Events(20) // later: it need not be waited for
	type state struct {
		Phase string
		Held  []int64
	}
	look := func() (s state) {
		t.Helper()
		if err := b.Pool.QueryRow(t.Context(), `SELECT phase, held_by FROM ingest.erasures WHERE id = $1`, receipt).Scan(&s.Phase, &s.Held); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if diff := cmp.Diff(state{"writers", []int64{failed}}, look()); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	b.exec(`UPDATE ingest.batches SET failed_at = NULL, next_attempt_at = NULL, failure = NULL`)
	b.fold()
	b.erase()
	if got := look(); got.Phase != "done" || len(got.Held) != 0 {
		t.Errorf("state %+v", got)
	}
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	b.equal()
}

// TestAWriterThatBeganBeforeIsWaitedFor keeps a transaction open that stores an event of the user by the statement of ingest. Its row is
// committed and counted, and erased with the others. The same statement stores nothing when it begins after the user has left the
// dictionary.
func TestAWriterThatBeganBeforeIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.ask(1, false, "user-1")
	send := func(db interface {
		Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	}, batch int64) int64 {
		t.Helper()
		event := facts.Event{TS: b.First, User: b.Users[0], Name: stats.View}
		tag, err := db.Exec(t.Context(), inserts.NewEvents, 1, batch, []time.Time{event.TS}, []uuid.UUID{uuid.New()}, []int64{event.User}, []*int32{nil}, []int16{event.Name}, [][]byte{nil},
			batch, 1, 1, event.TS, event.TS, facts.AppendEvent(facts.AppendHeader(nil, b.First), b.First, event), 0)
		if err != nil {
			t.Fatal(err)
		}
		return tag.RowsAffected()
	}
	writer, err := b.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := send(writer, 900_000_001); n != 1 {
		t.Fatalf("%d rows are stored before the erasure", n)
	}
	eraser := &erase.Eraser{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}
	for i := range 5 {
		progress, err := eraser.Step(t.Context())
		if err != nil || i > 0 && progress != erase.Waiting {
			t.Fatalf("step %d: %v, %v", i, progress, err)
		}
	}
	if n := send(b.Pool, 900_000_002); n != 0 {
		t.Errorf("%d rows of a user that is no longer in the dictionary are stored", n)
	}
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.fold()
	b.erase()
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if n := one[int](b, `SELECT count(*) FROM ingest.events WHERE batch = 900000001 AND user_n = 0`); n != 1 {
		t.Errorf("%d rows of the writer are those of nobody, want 1", n)
	}
	b.equal()
}

// TestDaysWithoutRawRows checks that the user leaves the rollups of days that were dropped before, and of one that is dropped while
// the erasure runs, and that the receipt says which sketches stay.
func TestDaysWithoutRawRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	drop := func(before string) { b.exec(`SELECT ingest.drop_partitions_before($1, false)`, before) }
	drop("2026-01-05") // four of the five days
	b.First, b.Days = b.First.AddDate(0, 0, 11), 1
	b.Partitions(b.First, 0)
	b.write(b.Writer, 5) // in a week that stays
	receipt := b.ask(1, false, "user-1")
	for range 3 { // users, writers, and the week of the last of these days
		b.step()
	}
	drop("2026-01-12")
	b.erase()
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if days := one[int](b, `SELECT sketch_days FROM ingest.erasures WHERE id = $1`, receipt); days != 5 {
		t.Errorf("sketches of %d days stay, want 5", days)
	}
	b.equal()
	rows, err := b.Pool.Query(t.Context(), `SELECT users FROM stats.daily_user_sets`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var set []byte
		if err := rows.Scan(&set); err != nil {
			t.Fatal(err)
		}
		if contains(t, set, b.Users[0]) {
			t.Error("the user is part of a set")
		}
	}
}

// TestAUserOfDaysThatWereClosed erases a user of days that were dropped for its project, while their rows still wait to be deleted because
// another project holds the partition.
func TestAUserOfDaysThatWereClosed(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	shop := b.InProject("shop", "UTC")
	b.write(shop, 10)
	b.exec(`INSERT INTO ingest.imports (project, id, first_day, last_day) VALUES ($1, gen_random_uuid(), '2026-01-01', '2026-01-04')`, shop.Project)
	b.exec(`SELECT ingest.drop_partitions_before('2026-01-06', false)`)
	const closed = `SELECT count(*) FROM ingest.events WHERE project = 1 AND ts < '2026-01-05'`
	if n := one[int](b, closed+` AND user_n = $1`, b.Users[0]); n == 0 {
		t.Fatal("the user has no rows of closed days")
	}
	others := b.rowsOf(shop.Users)
	receipt := b.ask(1, false, "user-1")
	b.erase()
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if n := one[int](b, closed); n != 0 {
		t.Errorf("%d rows of closed days are left", n)
	}
	if diff := cmp.Diff(others, b.rowsOf(shop.Users)); diff != "" {
		t.Errorf("of the project that holds the week (-before +after):\n%s", diff)
	}
	if report := b.verify(receipt); !report.OK() {
		t.Errorf("verification: %+v", report)
	}
	b.equal()
}

// TestManyErasuresAreOnePass erases all users but one: each day is rebuilt once, and nobody is the only user left of most rows.
func TestManyErasuresAreOnePass(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.exec(`INSERT INTO ingest.users (project, anonymous, id) SELECT 1, false, 'quiet-' || n FROM generate_series(1, 61) AS n`)
	before := b.sums()
	for n := range 39 {
		b.ask(1, false, fmt.Sprintf("user-%d", n+1))
	}
	for n := range 61 {
		b.ask(1, false, fmt.Sprintf("quiet-%d", n+1))
	}
	b.erase()
	if done := one[int](b, `SELECT count(*) FROM ingest.erasures WHERE state = 'done' AND epoch = 1`); done != 100 {
		t.Errorf("%d are done in one pass, want 100", done)
	}
	if rebuilt := one[int](b, `SELECT count(*) FROM stats.rebuild_days`); rebuilt > b.Days {
		t.Errorf("%d days were rebuilt, there are %d", rebuilt, b.Days)
	}
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:39])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if after := b.sums(); after != before {
		t.Errorf("the sums were\n%s\nand are\n%s", before, after)
	}
	b.equal()
}

// TestAUserOfManyEvents checks that no transaction changes more rows than a chunk.
func TestAUserOfManyEvents(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	const many = 100_000
	b.exec(`
		WITH receipt AS (
			INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts, aggregated_at)
			VALUES (900000, 1, 'events', $2, $1::timestamptz, $1::timestamptz + interval '1 day', now())
		)
		INSERT INTO ingest.events (ts, user_n, batch, id, project, name, properties)
		SELECT $1::timestamptz + n * interval '0.8 s', $3, 900000, gen_random_uuid(), 1, 1, '{"session_id": "s"}' FROM generate_series(1, $2::int) AS n`,
		b.First, many, b.Users[0])
	b.exec(`UPDATE ingest.users SET first_seen = least(first_seen, $2) WHERE n = $1`, b.Users[0], b.First.Add(800*time.Millisecond))
	b.exec(`ANALYZE ingest.events`)
	day := localtime.DayOfDate(b.First)
	if _, err := rebuild.Run(t.Context(), b.pool, rebuild.Options{From: day, To: day}); err != nil {
		t.Fatal(err)
	}
	b.equal()
	b.ask(1, false, "user-1")
	if steps := b.erase(); steps < many/5000 {
		t.Errorf("it took %d steps", steps)
	}
	if diff := cmp.Diff(nothing, b.rowsOf(b.Users[:1])); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	b.equal()
}

// TestRun erases in the background until its context ends.
func TestRun(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.ask(1, false, "user-1")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- (&erase.Eraser{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}).Run(ctx) }()
	platformtest.Eventually(t, time.Minute, "the erasure is done", func() bool {
		return one[int](b, `SELECT count(*) FROM ingest.erasures WHERE state <> 'done'`) == 0
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
