package dbtest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// Server is a Postgres of one test, to be stopped and killed. It is durable, and its address and data stay the same over
// restarts.
type Server struct {
	tb      testing.TB
	dir     string
	current *localpg.Server
}

// StartServer starts a Postgres with a migrated database that belongs to the test alone.
func StartServer(tb testing.TB) *Server {
	tb.Helper()
	dir, err := platformtest.ServerDir("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, dir: dir}
	tb.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(dir)
	})
	s.start(0)
	if err := migrate.Up(context.WithoutCancel(tb.Context()), s.URL(), platformtest.Discard()); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *Server) start(port int) {
	s.tb.Helper()
	server, err := localpg.Start(context.WithoutCancel(s.tb.Context()), localpg.Options{
		Dir: s.dir, Port: port, Settings: map[string]string{"shared_buffers": "64MB"}, Logger: platformtest.Discard(),
	})
	if err != nil {
		s.tb.Fatalf("start Postgres: %v", err)
	}
	s.current = server
}

// URL returns the connection URL as a superuser, the same over restarts.
func (s *Server) URL() string { return s.current.URL() }

// Config returns the configuration with which a service connects.
func (s *Server) Config() postgres.Config { return Config(s.URL()) }

// Restart starts the server again on its address after Stop or Kill.
func (s *Server) Restart() { s.start(s.current.Port()) }

// Stop shuts the server down; its address refuses connections from then on.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.current.Stop(ctx); err != nil {
		s.tb.Errorf("stop Postgres: %v", err)
	}
}

// Kill ends the server as a crash would, and waits until its backends, which notice it by themselves, are gone too.
func (s *Server) Kill() {
	s.tb.Helper()
	backends := s.backends()
	if err := s.current.Kill(); err != nil {
		s.tb.Errorf("kill Postgres: %v", err)
	}
	platformtest.Eventually(s.tb, 10*time.Second, "the backends of a killed Postgres are gone", func() bool {
		return !slices.ContainsFunc(backends, func(pid int) bool {
			_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
			return err == nil
		})
	})
}

// backends returns the process ids of the server's sessions.
func (s *Server) backends() []int {
	s.tb.Helper()
	ctx := context.WithoutCancel(s.tb.Context())
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		s.tb.Fatalf("connect to Postgres: %v", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	rows, _ := conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		s.tb.Fatalf("list the sessions: %v", err)
	}
	return pids
}
