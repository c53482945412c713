package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// server is one Postgres for all tests of this package. Each test uses its own table and role names.
var server *localpg.Server

func TestMain(m *testing.M) {
	if what := os.Getenv(asHolder); what != "" {
		panic(hold(what))
	}
	dir, err := platformtest.ServerDir("platform-postgres")
	if err == nil {
		server, err = localpg.Start(context.Background(), localpg.Options{Dir: filepath.Join(dir, "pg"), Logger: platformtest.Discard()})
	}
	if err != nil {
		panic(err)
	}
	platformtest.Main(m, func() error { return errors.Join(server.Stop(context.Background()), os.RemoveAll(dir)) })
}

func cfg() postgres.Config {
	return postgres.Config{URL: config.URL(server.URL()), MaxConns: 4, ConnectTimeout: time.Minute, StatementTimeout: time.Minute}
}

func open(t *testing.T, cfg postgres.Config, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), cfg, role, "test", platformtest.Deps(t).TracerProvider)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	pool := open(t, cfg(), "")
	execute(t, pool, `DROP TABLE IF EXISTS classify; CREATE TABLE classify (id int PRIMARY KEY CHECK (id > 0)); INSERT INTO classify VALUES (1)`)
	refused := cfg()
	refused.URL = "postgres://u:p@127.0.0.1:1/x"
	slow := cfg()
	slow.StatementTimeout = 20 * time.Millisecond
	readOnly := cfg()
	readOnly.URL += "&default_transaction_read_only=on"
	run := func(pool *pgxpool.Pool, sql string) error {
		var n int
		return pool.QueryRow(context.Background(), sql).Scan(&n)
	}
	own := errs.New(errs.Conflict, "taken", "Taken.")
	for name, test := range map[string]struct {
		err  error
		want errs.Kind
	}{
		"no row":                   {run(pool, `SELECT id FROM classify WHERE id = 7`), errs.NotFound},
		"connection refused":       {run(open(t, refused, ""), `SELECT 1`), errs.Unavailable},
		"statement timeout":        {run(open(t, slow, ""), `SELECT 1 FROM pg_sleep(5)`), errs.Unavailable},
		"terminated":               {run(open(t, cfg(), ""), `SELECT 1 FROM (SELECT pg_terminate_backend(pg_backend_pid())) x, pg_sleep(1)`), errs.Unavailable},
		"read-only":                {run(open(t, readOnly, ""), `INSERT INTO classify VALUES (5) RETURNING id`), errs.Unavailable},
		"no migration yet":         {run(pool, `SELECT id FROM not_there_yet`), errs.Unavailable},
		"no such role yet":         {run(open(t, cfg(), "not_there_yet"), `SELECT 1`), errs.Unavailable},
		"connection lost":          {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), errs.Unavailable},
		"network":                  {&net.OpError{Op: "read", Err: errors.New("reset")}, errs.Unavailable},
		"deadline":                 {fmt.Errorf("query: %w", context.DeadlineExceeded), errs.Unavailable},
		"too many connections":     {&pgconn.PgError{Code: "53300"}, errs.Unavailable},
		"frozen in a transaction":  {&pgconn.PgError{Code: "25P03"}, errs.Unavailable},
		"deadlock":                 {&pgconn.PgError{Code: "40P01"}, errs.Unavailable},
		"unique violation":         {run(pool, `INSERT INTO classify VALUES (1) RETURNING id`), errs.Internal},
		"syntax":                   {run(pool, `SELEC`), errs.Internal},
		"something else":           {errors.New("bug"), errs.Internal},
		"an error that has a kind": {fmt.Errorf("create: %w", own), errs.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.err == nil {
				t.Fatal("no error to classify")
			}
			got := postgres.Classify(fmt.Errorf("store: %w", test.err))
			if kind := errs.KindOf(got); kind != test.want || !errors.Is(got, test.err) {
				t.Errorf("%v is %v, want %v and the cause kept", test.err, kind, test.want)
			}
		})
	}
	if postgres.Classify(nil) != nil {
		t.Error("nil became an error")
	}
	if constraint, ok := postgres.IsCode(run(pool, `INSERT INTO classify VALUES (1) RETURNING id`), postgres.UniqueViolation); !ok || constraint != "classify_pkey" {
		t.Errorf("unique violation of %q, %t", constraint, ok)
	}
	if constraint, ok := postgres.IsCode(run(pool, `INSERT INTO classify VALUES (-1) RETURNING id`), postgres.CheckViolation); !ok || constraint != "classify_id_check" {
		t.Errorf("check violation of %q, %t", constraint, ok)
	}
}

func TestInTx(t *testing.T) {
	t.Parallel()
	pool := open(t, cfg(), "")
	execute(t, pool, `DROP TABLE IF EXISTS in_tx; CREATE TABLE in_tx (what text)`)
	insert := func(what string, then func() error) (err error) {
		defer func() {
			if recover() != nil {
				err = errors.New("panicked")
			}
		}()
		return postgres.InTx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `INSERT INTO in_tx VALUES ($1)`, what); err != nil {
				return err
			}
			return then()
		})
	}
	broken := errors.New("broken")
	if err := insert("good", func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := insert("failed", func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("failed: %v", err)
	}
	if err := insert("panicked", func() error { panic("boom") }); err == nil {
		t.Error("the panic was swallowed")
	}
	var stored string
	if err := pool.QueryRow(t.Context(), `SELECT string_agg(what, ',') FROM in_tx`).Scan(&stored); err != nil || stored != "good" {
		t.Errorf("stored %q, %v", stored, err)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not returned to the pool", n)
	}
}

func TestOpenSetsRole(t *testing.T) {
	t.Parallel()
	owner := open(t, cfg(), "")
	execute(t, owner, `DROP ROLE IF EXISTS narrow; DROP TABLE IF EXISTS secret; CREATE ROLE narrow NOLOGIN; CREATE TABLE secret (id int)`)
	pool := open(t, cfg(), "narrow")
	var role, application, zone, timeout, gone string
	const query = `
		SELECT current_user, current_setting('application_name'), current_setting('timezone'), current_setting('statement_timeout'),
			concat_ws(' ', current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),
				current_setting('tcp_keepalives_count'), current_setting('tcp_user_timeout'))`
	if err := pool.QueryRow(t.Context(), query).Scan(&role, &application, &zone, &timeout, &gone); err != nil {
		t.Fatal(err)
	}
	if role != "narrow" || application != "test" || zone != "UTC" || timeout != "1min" {
		t.Errorf("role %s, application %s, time zone %s, statement timeout %s", role, application, zone, timeout)
	}
	if gone != "10 5 3 20000" {
		t.Errorf("a client that is gone is noticed by %s", gone)
	}
	if _, err := pool.Exec(t.Context(), `SELECT * FROM secret`); err == nil {
		t.Error("the role can read a table without a grant")
	}
}

// Connections that a pool opens at the same time, with no role to add, once wrote their settings into one array where that
// had room for one more. The race detector sees it.
func TestConnectionsThatBeginTogetherShareNothing(t *testing.T) {
	t.Parallel()
	extra := []postgres.Setting{{Name: "work_mem", Value: "8MB"}, {Name: "jit", Value: "off"}, {Name: "geqo", Value: "off"}}
	for n := range len(extra) + 1 {
		pool, err := postgres.Open(t.Context(), cfg(), "", "test", nil, extra[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		markers := make([]string, cfg().MaxConns)
		var all sync.WaitGroup // a connection is held until each has its own, so all of them are new
		all.Add(len(markers))
		var group errgroup.Group
		for i := range markers {
			group.Go(func() error {
				conn, err := pool.Acquire(t.Context())
				all.Done()
				if err != nil {
					return err
				}
				defer conn.Release()
				all.Wait()
				return conn.QueryRow(t.Context(), `SELECT current_setting('hp_analytics.session')`).Scan(&markers[i])
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(markers)
		if different := len(slices.Compact(slices.Clone(markers))); different != len(markers) || markers[0] == "" {
			t.Errorf("%d connections have %d markers: %q", len(markers), different, markers)
		}
	}
}

func TestSchemaReady(t *testing.T) {
	t.Parallel()
	pool := open(t, cfg(), "")
	ready := postgres.SchemaReady(pool, 5, true)
	if ready(t.Context()) == nil {
		t.Error("ready without a schema")
	}
	execute(t, pool, `CREATE TABLE public.schema_migrations (version bigint)`)
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), `DROP TABLE public.schema_migrations`) })
	for _, test := range []struct {
		row  string
		want bool
	}{{"4", false}, {"5", true}, {"6", true}} {
		execute(t, pool, `TRUNCATE public.schema_migrations; INSERT INTO public.schema_migrations VALUES (`+test.row+`)`)
		if err := ready(t.Context()); (err == nil) != test.want {
			t.Errorf("(%s): %v", test.row, err)
		}
	}
	checkBusyPool(t)
}

// checkBusyPool checks that a pool whose connections are all in use is ready while they go from hand to hand, and not when all of
// them hang.
func checkBusyPool(t *testing.T) {
	t.Helper()
	only := cfg()
	only.MaxConns = 2
	pool := open(t, only, "")
	ready := postgres.SchemaReady(pool, 5, true)
	var held []*pgxpool.Conn
	hold := func() {
		conn, err := pool.Acquire(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Error(err)
			return
		}
		held = append(held, conn)
	}
	probe := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		return ready(ctx)
	}
	if err := ready(t.Context()); err != nil {
		t.Error(err)
	}
	hold()
	hold()
	if probe() == nil {
		t.Error("ready while all connections hang")
	}
	time.AfterFunc(100*time.Millisecond, held[0].Release)
	var next sync.WaitGroup
	next.Go(hold) // it waits before the probe does, and keeps what it gets
	if err := probe(); err != nil {
		t.Errorf("while connections go from hand to hand: %v", err)
	}
	next.Wait()
	for _, conn := range held[1:] {
		conn.Release()
	}
}

func TestPoolMetrics(t *testing.T) {
	t.Parallel()
	pool := open(t, cfg(), "")
	registry := prometheus.NewRegistry()
	registry.MustRegister(postgres.NewPoolCollector(pool))
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) == 0 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

// TestLeader runs three candidates. One of them leads at a time. When the leader stops, or its connection breaks, another one
// takes over.
func TestLeader(t *testing.T) {
	t.Parallel()
	owner := open(t, cfg(), "")
	lock := postgres.NewAdvisoryLock(7, 99)
	var working, terms atomic.Int32
	var cut atomic.Bool // from then on two leaders may overlap, until the first one notices
	var stops []context.CancelFunc
	var dones []chan struct{}
	leading := make(chan int, 100)
	for i := range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		stops, dones = append(stops, cancel), append(dones, done)
		leader := &postgres.Leader{Pool: open(t, cfg(), ""), Lock: lock, Retry: 50 * time.Millisecond, Logger: platformtest.Logger(t)}
		go func() {
			defer close(done)
			leader.Run(ctx, func(ctx context.Context) error {
				if n := working.Add(1); n > 1 && !cut.Load() {
					t.Errorf("%d lead at the same time", n)
				}
				terms.Add(1)
				leading <- i
				<-ctx.Done()
				working.Add(-1)
				return nil
			})
		}()
	}
	defer func() {
		for i := range stops {
			stops[i]()
			<-dones[i]
		}
	}()
	next := func() int {
		t.Helper()
		select {
		case i := <-leading:
			return i
		case <-time.After(time.Minute):
			t.Fatal("no candidate leads")
			return 0
		}
	}
	first := next()
	// When the leader stops, another one takes over.
	stops[first]()
	<-dones[first]
	second := next()
	if second == first {
		t.Error("the stopped candidate leads again")
	}
	// When the leader's connection breaks, its work ends and a candidate takes over.
	platformtest.Eventually(t, time.Minute, "the lock's connection is cut", func() bool {
		cut.Store(true)
		var done bool
		err := owner.QueryRow(t.Context(), `
			SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted`, lock.Class(), lock.ID()).Scan(&done)
		return err == nil && done
	})
	next()
	if n := terms.Load(); n != 3 {
		t.Errorf("%d terms, want 3", n)
	}
}
