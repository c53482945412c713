package zonechange_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/zonechange"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// installation has projects with 60 days of folded rows, so a change of the zone of one takes some steps.
type installation struct {
	t     *testing.T
	pool  *pgxpool.Pool // as the aggregator uses it
	store postgres.Store
	now   time.Time
	*batchtest.Writer
	writers map[string]*batchtest.Writer
}

func newInstallation(t *testing.T, slugs ...string) *installation {
	t.Helper()
	database := dbtest.New(t)
	pool := database.Pool("hp_aggregator")
	i := &installation{
		t: t, pool: pool, store: postgres.Store{Pool: pool, Lanes: 4, Rows: 300}, Writer: batchtest.New(t, database, 11),
		writers: map[string]*batchtest.Writer{},
	}
	i.First, i.Days = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 60
	i.now = i.First.AddDate(0, 0, i.Days).Add(-time.Hour)
	for _, slug := range slugs {
		i.writers[slug] = i.InProject(slug, "Asia/Kolkata")
		for range 10 {
			i.trade(slug)
		}
	}
	i.fold()
	return i
}

// trade commits batches of every kind to a project.
func (i *installation) trade(slug string) {
	i.t.Helper()
	w := i.writers[slug]
	w.Events(20)
	w.Orders(10)
	w.Refunds(5)
}

func (i *installation) fold() {
	i.t.Helper()
	for i.Pending() > 0 {
		if _, err := i.store.Fold(i.t.Context()); err != nil {
			i.t.Fatal(err)
		}
	}
}

func (i *installation) exec(sql string, args ...any) {
	i.t.Helper()
	if _, err := i.Pool.Exec(i.t.Context(), sql, args...); err != nil {
		i.t.Fatalf("%s: %v", sql, err)
	}
}

func (i *installation) want(slug, zone string) {
	i.t.Helper()
	i.exec(`UPDATE auth.projects SET time_zone = $2 WHERE slug = $1`, slug, zone)
}

// process is a new process that is the leader.
func (i *installation) process() *zonechange.Mover {
	return zonechange.New(zonechange.Options{Pool: i.pool, Now: func() time.Time { return i.now }, Logger: slog.New(slog.DiscardHandler)}, prometheus.NewRegistry())
}

// state returns the progress of the change of a project: the zone, days done of all, and why it does not go on.
func (i *installation) state(slug string) (state string) {
	i.t.Helper()
	const query = `
		SELECT coalesce((
			SELECT concat_ws(' ', c.to_zone, c.days_done > 0, c.days_done = c.days_total, c.finished_at IS NOT NULL, c.failure)
			FROM stats.zone_changes AS c JOIN auth.projects AS p ON p.id = c.project WHERE p.slug = $1), 'none')`
	if err := i.Pool.QueryRow(i.t.Context(), query, slug).Scan(&state); err != nil {
		i.t.Fatal(err)
	}
	return state
}

const finished = "America/New_York t t t"

// mustBeRight fails the test unless all rollups are what the raw rows and the time zones make them.
func (i *installation) mustBeRight() {
	i.t.Helper()
	var out strings.Builder
	if _, err := reconcile.Run(context.WithoutCancel(i.t.Context()), i.pool, reconcile.Options{Details: &out}); err != nil || out.Len() > 0 {
		i.t.Errorf("%v\n%s", err, out.String())
	}
}

// Each step is taken by another process, because the one before is gone. Between the steps rows arrive and are folded. The changes of
// two projects go on side by side.
func TestEachStepByAnotherProcess(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, "shop", "market")
	i.want("shop", "America/New_York")
	i.want("market", "America/New_York")
	for rounds := 0; i.state("shop") != finished || i.state("market") != finished; rounds++ {
		if rounds == 50 {
			t.Fatalf("shop: %s, market: %s", i.state("shop"), i.state("market"))
		}
		i.process().Round(t.Context())
		if rounds == 0 && (i.state("shop") == "none" || i.state("market") == "none") {
			t.Errorf("one of the projects waits for the other: %s, %s", i.state("shop"), i.state("market"))
		}
		i.mustBeRight()
		i.trade("shop")
		i.trade("market")
		i.fold()
	}
	i.mustBeRight()
}

// A process that is killed in the middle of a change leaves a state that is right, and the next one ends the change.
func TestRunIsKilled(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, "shop")
	i.want("shop", "America/New_York")
	run := func(until func() bool) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- i.process().Run(ctx) }()
		platformtest.Eventually(t, time.Minute, "the change goes on", until)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		i.mustBeRight()
	}
	run(func() bool { return i.state("shop") != "none" })
	i.trade("shop")
	run(func() bool { return i.state("shop") == finished })
	i.fold()
	i.mustBeRight()
}

// A step that fails is recorded with its reason and tried again later, not at once; success forgets it.
func TestAFailureIsStoredAndTriedAgain(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, "shop")
	i.want("shop", "America/New_York")
	i.exec(`REVOKE INSERT ON stats.daily_stats FROM hp_aggregator`)
	mover := i.process()
	mover.Round(t.Context())
	if state := i.state("shop"); !strings.HasPrefix(state, "America/New_York f t f ") || !strings.Contains(state, "permission denied") {
		t.Fatalf("after a failure: %s", state)
	}
	i.exec(`GRANT INSERT ON stats.daily_stats TO hp_aggregator`)
	mover.Round(t.Context())
	if state := i.state("shop"); !strings.Contains(state, "permission denied") {
		t.Errorf("it was tried again at once: %s", state)
	}
	i.now = i.now.Add(2 * time.Second)
	mover.Round(t.Context())
	if state := i.state("shop"); strings.Contains(state, "permission denied") || !strings.HasPrefix(state, "America/New_York t") {
		t.Errorf("after a success: %s", state)
	}
	i.mustBeRight()
}

// Another rebuild is waited for, and is no failure.
func TestAnotherRebuildIsNoFailure(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, "shop")
	i.want("shop", "America/New_York")
	tx, err := i.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), fmt.Sprintf(`SELECT pg_advisory_xact_lock%s`, locks.Rebuild)); err != nil {
		t.Fatal(err)
	}
	mover := i.process()
	if pause := mover.Round(t.Context()); pause < time.Second || i.state("shop") != "none" {
		t.Errorf("beside another rebuild: %s, the next round in %s", i.state("shop"), pause)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if mover.Round(t.Context()); i.state("shop") == "none" {
		t.Error("nothing is done after the end of the other rebuild")
	}
}

// dropTracer drops raw events once, when a step is planned and before it counts.
type dropTracer struct {
	once sync.Once
	drop func()
}

// TraceQueryStart implements pgx.QueryTracer.
func (d *dropTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, statement pgx.TraceQueryStartData) context.Context {
	if strings.Contains(statement.SQL, "LOCK TABLE ingest.events") {
		d.once.Do(d.drop)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*dropTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A step that has to be planned anew is not counted as done, and the next one comes soon.
func TestAStepPlannedAnewIsNotDone(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, "shop")
	i.want("shop", "America/New_York")
	config := i.pool.Config()
	config.ConnConfig.Tracer = &dropTracer{drop: func() { i.exec(`SELECT ingest.drop_partitions_before('2026-04-06', false)`) }}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	registry := prometheus.NewRegistry()
	mover := zonechange.New(zonechange.Options{Pool: pool, Now: func() time.Time { return i.now }, Logger: slog.New(slog.DiscardHandler)}, registry)
	for round, want := range []string{"none", "America/New_York t f f", finished} {
		if pause := mover.Round(t.Context()); pause > time.Minute || i.state("shop") != want {
			t.Errorf("round %d: %s, the next one in %s, want %s", round, i.state("shop"), pause, want)
		}
		const steps = `
			# HELP hpa_aggregator_zone_steps_total Steps of changes of time zones by outcome: done or error.
			# TYPE hpa_aggregator_zone_steps_total counter
			hpa_aggregator_zone_steps_total{outcome="done"} %d
			hpa_aggregator_zone_steps_total{outcome="error"} 0
			`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf(steps, round)), "hpa_aggregator_zone_steps_total"); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
	i.mustBeRight()
}
