package aggregator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// plant is what replicas of the service share in a test, and a writer of batches.
type plant struct {
	t        *testing.T
	postgres platformpostgres.Config
	redis    platformredis.Config
	database *dbtest.Database
	*batchtest.Writer
	rows int64
}

func newPlant(t *testing.T, redis platformredis.Config) *plant {
	t.Helper()
	database := dbtest.New(t)
	return &plant{t: t, postgres: database.Config(), redis: redis, database: database, Writer: batchtest.New(t, database, 3)}
}

// start starts a replica and waits until it is ready.
func (p *plant) start(change ...func(*aggregator.Config)) service.Service {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	p.t.Cleanup(cancel)
	cfg := aggregator.Config{
		Config: frame.Config{
			Config:   service.Config{HTTP: httpserver.Config{AccessLog: "none", RequestTimeout: 10 * time.Second}},
			Postgres: p.postgres, Redis: p.redis,
		},
		Concurrency: 2, Lanes: 8, FoldRows: 1000, ReceiptDays: 7, RetentionDays: 36_500, ProgressDeadline: time.Minute,
	}
	for _, c := range change {
		c(&cfg)
	}
	svc, err := aggregator.New(ctx, cfg, platformtest.Deps(p.t))
	if err != nil {
		p.t.Fatal(err)
	}
	platformtest.Run(p.t, svc)
	platformtest.Eventually(p.t, 10*time.Second, "the service is ready", func() bool {
		_, ready := svc.Health().Ready(ctx)
		return ready
	})
	return svc
}

// write commits a batch.
func (p *plant) write() {
	n := p.Size(50)
	p.rows += int64(n)
	p.Batch(n)
}

// wake enqueues a task, as ingest does after a commit.
func (p *plant) wake() {
	p.t.Helper()
	client := tasks.NewClient(redistest.Client(p.t, p.redis), time.Second)
	if err := protocol.BatchReady.Enqueue(p.t.Context(), client); err != nil {
		p.t.Fatal(err)
	}
}

// wantFolded waits until nothing is pending and checks that everything was counted once.
func (p *plant) wantFolded(timeout time.Duration) {
	p.t.Helper()
	platformtest.Eventually(p.t, timeout, "everything is folded", func() bool { return p.Pending() == 0 })
	var out strings.Builder
	report, err := reconcile.Run(p.t.Context(), p.database.Pool("hp_aggregator"), reconcile.Options{Details: &out})
	if err != nil {
		p.t.Fatal(err)
	}
	if report.Differences != 0 || report.Rows != p.rows {
		p.t.Errorf("%d rows in the rollups, want %d; %d differences:\n%s", report.Rows, p.rows, report.Differences, out.String())
	}
}

func TestATaskIsFollowedByAFold(t *testing.T) {
	t.Parallel()
	p := newPlant(t, redistest.New(t))
	svc := p.start()
	// The versions that caches look at change with the numbers.
	redis := redistest.ClientOf(t, p.redis, platformpostgres.Identity(p.database.Pool("hp_aggregator")))
	versions := redistest.Key(t, redis, protocol.VersionsKey)
	version := func() string {
		return redis.HGet(t.Context(), versions, protocol.ProjectField(authn.DefaultProject)).Val()
	}
	for range 3 {
		before := version()
		begin := time.Now()
		p.write()
		p.wake()
		platformtest.Eventually(t, 3*time.Second, "the batch is folded", func() bool { return p.Pending() == 0 })
		if took := time.Since(begin); took > 2*time.Second { // the sweeper would come after five
			t.Errorf("it took %s", took)
		}
		platformtest.Eventually(t, 3*time.Second, "caches are told", func() bool { return version() != before })
	}
	p.wantFolded(time.Second)

	checker := openapitest.New(t)
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		w := httptest.NewRecorder()
		checker.Handler(svc.Routes()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if path == "/metrics" && !strings.Contains(w.Body.String(), "hpa_aggregator_folded_batches_total") {
			t.Error("the metrics do not count folds")
		}
	}
}

// TestMoreTasksThanBatches delivers three tasks for each batch to two replicas.
func TestMoreTasksThanBatches(t *testing.T) {
	t.Parallel()
	p := newPlant(t, redistest.New(t))
	p.start()
	p.start()
	for range 40 {
		p.write()
		for range 3 {
			p.wake()
		}
	}
	p.wantFolded(20 * time.Second)
	client := redistest.Client(t, p.redis)
	inspector, queue := asynq.NewInspectorFromRedisClient(client), redistest.Queue(t, client, protocol.BatchReady.Queue)
	platformtest.Eventually(t, 20*time.Second, "no task is left", func() bool {
		info, err := inspector.GetQueueInfo(queue)
		return err == nil && info.Size == 0
	})
}

// TestLostTasks commits batches whose tasks never come: Redis was wiped.
func TestLostTasks(t *testing.T) {
	t.Parallel()
	p := newPlant(t, redistest.New(t))
	svc := p.start()
	for range 10 {
		p.write()
	}
	p.wantFolded(30 * time.Second)
	// By workers, on new tasks: the sweeper folds by itself only while Redis is away.
	w := httptest.NewRecorder()
	svc.Routes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	metrics := w.Body.String()
	if strings.Contains(metrics, "hpa_aggregator_rewoken_tasks_total 0\n") || !strings.Contains(metrics, "hpa_aggregator_direct_folds_total 0\n") {
		t.Errorf("the sweeper made no tasks:\n%s", metrics)
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	p := newPlant(t, server.Config())
	svc := p.start()
	server.Stop()
	for range 10 {
		p.write()
	}
	p.wantFolded(40 * time.Second)
	if _, ready := svc.Health().Ready(t.Context()); !ready {
		t.Error("not ready without Redis, though work goes on")
	}
	server.Restart()
	begin := time.Now()
	p.write()
	p.wake()
	platformtest.Eventually(t, 30*time.Second, "tasks work again", func() bool { return p.Pending() == 0 })
	t.Logf("the first task after Redis came back took %s", time.Since(begin))
	p.wantFolded(time.Second)
}

// TestPostgresDown checks that the service gets over an outage by itself.
func TestPostgresDown(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	p := &plant{t: t, postgres: server.Config(), redis: redistest.New(t)}
	svc := p.start()
	server.Stop()
	platformtest.Eventually(t, 10*time.Second, "the service is unready", func() bool {
		_, ready := svc.Health().Ready(t.Context())
		return !ready
	})
	server.Restart()
	platformtest.Eventually(t, 20*time.Second, "the service is ready again", func() bool {
		_, ready := svc.Health().Ready(t.Context())
		return ready
	})
}

// TestTheScheduleMovesOn checks that of two replicas one makes the partitions and sweeps, and that the other takes over.
func TestTheScheduleMovesOn(t *testing.T) {
	t.Parallel()
	p := newPlant(t, redistest.New(t))
	leaders := func() (pids []int) {
		rows, err := p.Pool.Query(t.Context(), `
			SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
			WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.granted AND d.datname = current_database()`,
			locks.AggregatorLeader.Class(), locks.AggregatorLeader.ID())
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var pid int
			if err := rows.Scan(&pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return pids
	}
	p.start()
	p.start()
	platformtest.Eventually(t, 10*time.Second, "one leads", func() bool { return len(leaders()) == 1 })
	first := leaders()
	if _, err := p.Pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, first[0]); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 20*time.Second, "another connection leads", func() bool {
		now := leaders()
		return len(now) == 1 && !slices.Equal(now, first)
	})
	p.write()
	p.wantFolded(30 * time.Second) // by the sweeper: there is no task
}

// TestNoProgressIsNotReady locks the batches away: the service is up and can do nothing.
func TestNoProgressIsNotReady(t *testing.T) {
	t.Parallel()
	p := newPlant(t, redistest.New(t))
	svc := p.start(func(cfg *aggregator.Config) { cfg.ProgressDeadline = time.Second })
	holder, err := p.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	p.write()
	if _, err := holder.Exec(t.Context(), `SELECT FROM ingest.batches FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 30*time.Second, "no progress makes it unready", func() bool {
		_, ready := svc.Health().Ready(t.Context())
		return !ready
	})
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.wantFolded(30 * time.Second)
	platformtest.Eventually(t, 15*time.Second, "progress makes it ready again", func() bool {
		_, ready := svc.Health().Ready(t.Context())
		return ready
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	needed := []string{"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost:6379/0"}
	var cfg aggregator.Config
	if err := config.Load(t.Context(), &cfg, config.Environ(needed, "")); err != nil {
		t.Errorf("what has no default is given: %v", err)
	}
	bad := []string{
		"AGGREGATOR_CONCURRENCY=0", "AGGREGATOR_LANES=40000", "FOLD_ROW_BUDGET=0", "RECEIPT_DAYS=0", "RETENTION_DAYS=0", "PROGRESS_DEADLINE=1ms",
		"DATABASE_MAX_CONNS=2", "AGGREGATOR_FOLD_BYTES=1000",
	}
	err := config.Load(t.Context(), &cfg, config.Environ(append(needed, bad...), ""))
	for _, pair := range bad {
		name, _, _ := strings.Cut(pair, "=")
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("the problem of %s is not listed: %v", name, err)
		}
	}
}
