package rebuild_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// standTracer stops a connection before its n-th statement from now until it is told to go on.
type standTracer struct {
	left   atomic.Int64
	stands chan string
	goOn   chan struct{}
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *standTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, statement pgx.TraceQueryStartData) context.Context {
	if s.left.Add(-1) == 0 {
		s.stands <- statement.SQL
		<-s.goOn
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*standTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// stood is one schedule: first stands before its n-th statement while second runs to its end, or until it waits for first. It reports false,
// when first has fewer statements.
func (b *books) stood(tracer *standTracer, n int64, first, second func() error) bool {
	b.t.Helper()
	tracer.left.Store(n)
	one, two := make(chan error, 1), make(chan error, 1)
	go func() { one <- first() }()
	select {
	case <-tracer.stands:
	case err := <-one:
		tracer.left.Store(-1)
		if err != nil {
			b.t.Fatal(err)
		}
		return false
	}
	go func() { two <- second() }()
	var err error
	over := false
	platformtest.Eventually(b.t, 30*time.Second, "the second is over or waits", func() bool {
		select {
		case err = <-two:
			over = true
		default:
		}
		return over || b.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
	})
	tracer.goOn <- struct{}{}
	if failed := <-one; failed != nil {
		b.t.Fatal(failed)
	}
	if !over {
		err = <-two
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return true
}

// A fold that stands before any of its statements while a step changes the zone, and a step that stands before every fifth while a fold
// runs: each row is counted by the zone that holds, whatever the fold has read before.
func TestFoldsAndStepsInterleaved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		foldFirst bool
		every     int64 // a step has very many statements
	}{{"a fold stands", true, 1}, {"a step stands", false, 5}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, shop := newShop(t, 3, 2)
			tracer := &standTracer{stands: make(chan string), goOn: make(chan struct{})}
			traced := b.tracedPool(tracer)
			folds, steps := b.pool, b.pool
			if test.foldFirst {
				folds = traced
			} else {
				steps = traced
			}
			fold := func() error {
				_, err := postgres.Store{Pool: folds, Lanes: 4, Rows: 1000}.Fold(t.Context())
				return err
			}
			step := func() error {
				_, err := rebuild.MoveZone(t.Context(), steps, "shop", b.now(), nil)
				return err
			}
			first, second := fold, step
			if !test.foldFirst {
				first, second = step, fold
			}
			zones := []string{"America/New_York", "Asia/Kolkata"}
			schedules := 0
			for n := int64(1); ; n += test.every {
				schedules++
				b.want(shop.Project, zones[schedules%2])
				b.trade(shop, 1)
				if !b.stood(tracer, n, first, second) {
					break
				}
				b.mustBeModel(shop.Project)
				b.fold()
				b.mustBeModel(shop.Project)
				if t.Failed() {
					t.Fatalf("before statement %d", n)
				}
			}
			if schedules < 15 {
				t.Errorf("only %d schedules", schedules)
			}
		})
	}
}

// A step that dies before any of its statements, of which every seventh is tried, leaves all rollups right, and the next one goes on.
func TestStepCutAnywhere(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 3, 2)
	tracer := &cutTracer{}
	pool := b.tracedPool(tracer)
	cuts := 0
	for n, survived := int64(1), false; !survived; n += 7 {
		zone := "America/New_York"
		if strings.HasSuffix(b.zones(shop.Project), zone) {
			zone = "Asia/Kolkata"
		}
		b.want(shop.Project, zone)
		b.trade(shop, 1)
		platformtest.Eventually(t, 30*time.Second, "the backend of the last one is gone", func() bool {
			tracer.left.Store(n)
			_, err := rebuild.MoveZone(t.Context(), pool, "shop", b.now(), nil)
			survived = tracer.left.Load() > 0
			if survived && err != nil && !errors.Is(err, rebuild.ErrRunning) || !survived && err == nil {
				t.Errorf("before statement %d: cut: %t, %v", n, !survived, err)
			}
			return !errors.Is(err, rebuild.ErrRunning)
		})
		tracer.left.Store(-1)
		cuts++
		b.mustBeModel(shop.Project)
		b.fold()
		b.mustBeModel(shop.Project)
		if t.Failed() {
			t.Fatalf("cut before statement %d", n)
		}
	}
	if cuts < 10 {
		t.Errorf("only %d steps were cut", cuts-1)
	}
}

// beforeTracer calls do once, before the first statement with a text.
type beforeTracer struct {
	text string
	once sync.Once
	do   func()
}

// TraceQueryStart implements pgx.QueryTracer.
func (t *beforeTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, statement pgx.TraceQueryStartData) context.Context {
	if strings.Contains(statement.SQL, t.text) {
		t.once.Do(t.do)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*beforeTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// moveBeside takes a step and calls do before its first statement with a text.
func (b *books) moveBeside(slug, text string, do func()) rebuild.ZoneStep {
	b.t.Helper()
	called := false
	pool := b.tracedPool(&beforeTracer{text: text, do: func() { called = true; do() }})
	step, err := rebuild.MoveZone(b.t.Context(), pool, slug, b.now(), nil)
	if err != nil || !called {
		b.t.Fatalf("%+v, %v; there was such a statement: %t", step, err, called)
	}
	return step
}

// Raw events of a step are dropped when it is planned and not counted yet. The next step takes those of its days that have all rows.
func TestDropBetweenPlanAndCount(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 60, 20)
	b.want(shop.Project, "America/New_York")
	first := b.move("shop")
	step := b.moveBeside("shop", "LOCK TABLE ingest.events", func() { b.exec(`SELECT ingest.drop_partitions_before('2026-03-09', false)`) })
	if want := (rebuild.ZoneStep{Project: "shop", PlannedAnew: true}); first.Finished || step != want {
		t.Errorf("after %+v a step beside a drop is %+v, want %+v", first, step, want)
	}
	for n := 0; !step.Finished; n++ {
		if n == 10 {
			t.Fatalf("the change does not end: %+v", step)
		}
		step = b.move("shop")
	}
	if got := b.zones(shop.Project); got != "Asia/Kolkata, 2026-03-10T04:00Z America/New_York" {
		t.Errorf("the zones are %s", got)
	}
	if out, _ := b.differences(); out != "" {
		t.Errorf("differences:\n%s", out)
	}
}

// The zones of a project change when a step is counted and has not replaced the rollups yet. The step kept no fold out.
func TestOtherZonesBetweenCountAndSwap(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 3, 2)
	b.want(shop.Project, "America/New_York")
	step := b.moveBeside("shop", "pg_advisory_xact_lock", func() {
		b.exec(`UPDATE stats.zones SET time_zone = 'Asia/Tokyo' WHERE project = $1`, shop.Project)
	})
	if want := (rebuild.ZoneStep{Project: "shop", PlannedAnew: true}); step != want {
		t.Errorf("%+v, want %+v", step, want)
	}
	b.exec(`UPDATE stats.zones SET time_zone = 'Asia/Kolkata' WHERE project = $1`, shop.Project)
	for !b.move("shop").Finished {
		b.mustBeModel(shop.Project)
	}
	b.mustBeModel(shop.Project)
}
