package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// failover is a database that can be made to refuse writes by new sessions, as a primary does in a failover.
type failover struct {
	t     *testing.T
	admin *pgxpool.Pool // on another database of the server
	name  string
}

func newFailover(t *testing.T, name string) failover {
	t.Helper()
	f := failover{t: t, admin: open(t, cfg(), ""), name: name}
	execute(t, f.admin, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
	execute(t, f.admin, `CREATE DATABASE `+name)
	pool := open(t, f.config(), "")
	execute(t, pool, `CREATE TABLE written (n int); CREATE TABLE public.schema_migrations AS SELECT 5::bigint AS version`)
	return f
}

// config returns the configuration of a pool on the database. Options are added to its URL.
func (f failover) config(options ...string) postgres.Config {
	c := cfg()
	base, query, _ := strings.Cut(string(c.URL), "?")
	url := base[:strings.LastIndex(base, "/")+1] + f.name + "?" + strings.Join(append(options, query), "&")
	c.URL = config.URL(url)
	return c
}

func (f failover) readOnly(state string) {
	f.t.Helper()
	execute(f.t, f.admin, `ALTER DATABASE `+f.name+` SET default_transaction_read_only = `+state)
}

func (f failover) write(pool *pgxpool.Pool) error {
	_, err := pool.Exec(f.t.Context(), `INSERT INTO written VALUES (1)`)
	return postgres.Classify(err)
}

// TestAPoolLeavesAReadOnlyServer connects while the database refuses writes. As soon as it accepts them, so must the pool.
func TestAPoolLeavesAReadOnlyServer(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"checked when connecting": nil,
		// A balancer between the service and its servers can have connected it to a server that is read-only only later.
		"found out by a write": {"target_session_attrs=any"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailover(t, "leave_"+map[bool]string{true: "checked", false: "found"}[options == nil])
			pool := open(t, f.config(options...), "")
			ready := postgres.SchemaReady(pool, 5, true)
			f.readOnly("on")
			for range 2 * pool.Config().MaxConns {
				if err := f.write(pool); errs.KindOf(err) != errs.Unavailable {
					t.Fatalf("a write while the database is read-only: %v", err)
				}
			}
			if err := ready(t.Context()); err == nil {
				t.Error("ready while the database is read-only")
			}
			f.readOnly("off")
			_ = f.write(pool) // may be the one that finds out
			if err := f.write(pool); err != nil {
				t.Errorf("a write after the failover: %v", err)
			}
			if err := ready(t.Context()); err != nil {
				t.Errorf("not ready after the failover: %v", err)
			}
		})
	}
}

// TestReadersWorkWithAReadOnlyPrimary checks that a service that writes nothing is not affected.
func TestReadersWorkWithAReadOnlyPrimary(t *testing.T) {
	t.Parallel()
	f := newFailover(t, "readers")
	f.readOnly("on")
	c := f.config()
	c.ReadsOnly = true
	if err := postgres.SchemaReady(open(t, c, ""), 5, false)(t.Context()); err != nil {
		t.Errorf("a reader is not ready: %v", err)
	}
}
