package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

// TestOnlyLockedRowsAreLocked stores an event while another transaction holds its row, a user of it, or the whole table, as retention
// does while it drops a partition. The latter is no reason to try parts of a flush.
func TestOnlyLockedRowsAreLocked(t *testing.T) {
	t.Parallel()
	const insert = `INSERT INTO ingest.events (project, ts, id, user_n, name, batch) VALUES (1, $1, $2, 1, 1, 1)`
	for name, tc := range map[string]struct {
		hold string
		rows bool
	}{
		"the row": {insert, true}, "its user": {`UPDATE ingest.users SET first_seen = $1 WHERE $2::uuid IS NOT NULL`, true},
		"the table": {`SELECT set_config('x.ts', $1::timestamptz::text, true), set_config('x.id', $2::uuid::text, true)`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, database := newStore(t)
			pool, err := postgres.Open(t.Context(), database.Config(), "hp_ingest", "test", nil, postgres.Setting{Name: "lock_timeout", Value: "100"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			s := New(pool, prometheus.NewRegistry())
			execute(t, database, `SELECT ingest.ensure_partitions(current_date - 1, current_date)`)
			first, events := someEvents(1), someEvents(1)
			store(t, s, first)
			events[0].TS = first[0].TS.Add(-time.Minute) // so its user is to be updated
			held, err := database.Pool("").Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer held.Rollback(context.WithoutCancel(t.Context()))
			if _, err := held.Exec(t.Context(), tc.hold, events[0].TS, events[0].ID); err != nil {
				t.Fatal(err)
			}
			if !tc.rows {
				if _, err := held.Exec(t.Context(), `LOCK TABLE ingest.events`); err != nil {
					t.Fatal(err)
				}
			}
			_, err = s.StoreEvents(t.Context(), events)
			if errors.Is(err, committer.ErrLocked) != tc.rows || !errs.Is(err, errs.Unavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAShortWaitIsThatOfOneStatement runs statements with a short wait, one of which fails, and looks at the setting afterwards.
func TestAShortWaitIsThatOfOneStatement(t *testing.T) {
	t.Parallel()
	_, database := newStore(t)
	cfg := database.Config()
	cfg.MaxConns = 1
	pool, err := postgres.Open(t.Context(), cfg, "hp_ingest", "test", nil, postgres.Setting{Name: "lock_timeout", Value: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := New(pool, prometheus.NewRegistry())
	timeout := func(conn *pgx.Conn) (shown string) {
		if err := conn.QueryRow(t.Context(), `SHOW lock_timeout`).Scan(&shown); err != nil {
			t.Error(err)
		}
		return shown
	}
	failure := errors.New("failed")
	for _, want := range []error{nil, failure} {
		short := committer.WithLockWait(t.Context(), 5*time.Millisecond)
		err := s.onConnection(short, func(conn *pgx.Conn) error {
			if got := timeout(conn); got != "5ms" {
				t.Errorf("meanwhile: %s", got)
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		_ = s.onConnection(t.Context(), func(conn *pgx.Conn) error {
			if got := timeout(conn); got != "1234ms" {
				t.Errorf("afterwards: %s", got)
			}
			return nil
		})
	}
}
