package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/poolertest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// throughPooler returns the configuration of a service that connects through a PgBouncer.
func throughPooler(t *testing.T, f failover, lines ...string) postgres.Config {
	t.Helper()
	c := f.config()
	c.URL = config.URL(poolertest.Start(t, string(c.URL), lines...))
	return c
}

// openService opens a pool as a service does.
func openService(t *testing.T, c postgres.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), c, "pooled", "test", platformtest.Deps(t).TracerProvider,
		postgres.Setting{Name: "synchronous_commit", Value: "on"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newPooled returns a database whose settings differ from those of the service.
func newPooled(t *testing.T, name string) failover {
	t.Helper()
	f := newFailover(t, name)
	execute(t, f.admin, `DO $$ BEGIN CREATE ROLE pooled; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`)
	execute(t, f.admin, `ALTER DATABASE `+name+` SET synchronous_commit = off`)
	execute(t, open(t, f.config(), ""), `GRANT SELECT ON schema_migrations TO pooled`)
	return f
}

// TestSessionPooling checks that each session has the role and settings of its service, with PgBouncer as it is installed
// and with one that drops startup parameters.
func TestSessionPooling(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"defaults": nil,
		"dropping": {"ignore_startup_parameters = role,statement_timeout,synchronous_commit,timezone,options"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPooled(t, "session_"+name)
			pool := openService(t, throughPooler(t, f, append(lines, "pool_mode = session")...))
			if err := postgres.SchemaReady(pool, 5, true)(t.Context()); err != nil {
				t.Fatalf("not ready: %v", err)
			}
			for range 2 {
				// A client of the pooler that has gone must not have left its role to the next one.
				wantSession(t, pool)
				pool.Reset()
			}
		})
	}
}

func wantSession(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	var got string
	const query = `SELECT concat_ws(' ', current_user, current_setting('statement_timeout'), current_setting('synchronous_commit'), current_setting('timezone'))`
	if err := pool.QueryRow(t.Context(), query).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "pooled 1min on UTC"; got != want {
		t.Errorf("the session has %q, want %q", got, want)
	}
}

// TestLeaderBehindAPooler checks that the lock of a leader that went away without a word is free for the next one.
func TestLeaderBehindAPooler(t *testing.T) {
	t.Parallel()
	c := throughPooler(t, newPooled(t, "session_leader"), "pool_mode = session")
	lock := postgres.NewAdvisoryLock(7, 101)
	first := openService(t, c)
	conn, err := first.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader := conn.Hijack()
	if held, err := lock.TryHold(t.Context(), leader); err != nil || !held {
		t.Fatalf("held %t, %v", held, err)
	}
	second, err := openService(t, c).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if held, err := lock.TryHold(t.Context(), second.Conn()); err != nil || held {
		t.Fatalf("two leaders: %t, %v", held, err)
	}
	if err := leader.PgConn().Conn().Close(); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, time.Minute, "the lock is free", func() bool {
		held, err := lock.TryHold(t.Context(), second.Conn())
		if err != nil {
			t.Fatal(err)
		}
		return held
	})
}

// TestSharedSessionsAreRefused checks that a service behind a pooler that shares sessions runs no statement, and says why.
func TestSharedSessionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"transaction": {"pool_mode = transaction"},
		"statement":   {"pool_mode = statement"},
		"in turn":     {"pool_mode = transaction", "server_round_robin = 1", "min_pool_size = 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPooled(t, "shared_"+strings.ReplaceAll(name, " ", "_"))
			pool := openService(t, throughPooler(t, f, lines...))
			err := postgres.SchemaReady(pool, 5, true)(t.Context())
			if err == nil || !strings.Contains(err.Error(), "pool_mode=session") {
				t.Errorf("ready: %v", err)
			}
			if err := f.write(pool); errs.KindOf(err) != errs.Unavailable {
				t.Errorf("a write: %v", err)
			}
		})
	}
}

// TestManySharedSessionsAreRefused checks a pooler that has several sessions and takes them in turn, so that no session is used
// twice in a row. In each round it has one session more.
func TestManySharedSessionsAreRefused(t *testing.T) {
	t.Parallel()
	url := string(throughPooler(t, newPooled(t, "shared_by_many"), "pool_mode = transaction", "server_round_robin = 1").URL)
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
	for n := range 6 {
		txs := make([]pgx.Tx, n) // in progress at the same time, so that each opens a session
		for i := range txs {
			var err error
			if txs[i], err = connect().BeginTx(t.Context(), pgx.TxOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, tx := range txs {
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := postgres.RequireSession(t.Context(), connect()); err == nil || !strings.Contains(err.Error(), "pool_mode=session") {
			t.Errorf("%d sessions: %v", n, err)
		}
	}
}

// TestLostSessionIsNotReady changes a session behind the back of the service.
func TestLostSessionIsNotReady(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"role":     `RESET ROLE`,
		"setting":  `SET synchronous_commit = off`,
		"timeouts": `SET statement_timeout = 0`,
		"all":      `RESET ALL`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newPooled(t, "lost_"+name).config()
			c.MaxConns = 1
			pool := openService(t, c)
			ready := postgres.SchemaReady(pool, 5, true)
			if err := ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			execute(t, pool, change)
			if err := ready(t.Context()); errs.KindOf(err) != errs.Unavailable {
				t.Errorf("ready with a session that lost its settings: %v", err)
			}
			platformtest.Eventually(t, time.Minute, "a new session is ready", func() bool { return ready(context.Background()) == nil })
			wantSession(t, pool)
		})
	}
}
