package postgres_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

const (
	// look is how long a step may take before somebody looks whether it waits for a lock.
	look = 20 * time.Millisecond
	// stepTimeout is how long a step may take in all.
	stepTimeout = 30 * time.Second
	// faultEvery is how many steps come on a fault, and commitFaultEvery how many commits.
	faultEvery, commitFaultEvery = 14, 4
)

// faults are the orders that end a job early at any statement.
var faults = []order{cancel, cut, lose, terminate}

// scheduler steps workers, one statement of one worker at a time.
type scheduler struct {
	t       *testing.T
	random  *rand.Rand
	admin   *pgxpool.Pool
	workers []*worker
	job     func(w *worker) // starts the next job of an idle worker
	orders  map[order]int   // how often each was given
	waits   int             // of writers for each other
}

// step lets one worker take one step, with a fault once in a while.
func (s *scheduler) step() {
	s.t.Helper()
	ready := slices.DeleteFunc(slices.Clone(s.workers), func(w *worker) bool { return w.blocked })
	w := ready[s.random.IntN(len(ready))]
	if w.at.done {
		s.job(w)
		s.await(w)
		return
	}
	told := goOn
	switch {
	case s.random.IntN(faultEvery) == 0, w.at.sql == "commit" && s.random.IntN(commitFaultEvery) == 0:
		told = faults[s.random.IntN(len(faults))]
	case canBeHeld(w.at.sql) && s.random.IntN(4) == 0:
		told = cancelHeld
	}
	s.order(w, told)
}

// order tells a standing worker what to do and waits until it stands again, and with it those who waited for it.
func (s *scheduler) order(w *worker, told order) {
	s.t.Helper()
	pid := w.at.pid
	var release func()
	switch told {
	case terminate:
		s.exec(`SELECT pg_terminate_backend($1)`, pid)
		s.gone(pid)
	case cancelHeld:
		release = s.hold(w)
	case goOn, cancel, cut, lose:
	}
	w.lastOrder, w.faulted = told, w.faulted || told != goOn
	s.orders[told]++
	if told == cut || told == lose {
		w.leaves = pid
	}
	w.orders <- told
	if release != nil {
		platformtest.Eventually(s.t, stepTimeout, w.name+" waits to be canceled", func() bool { return len(s.blockers(pid)) > 0 })
		s.exec(`SELECT pg_cancel_backend($1)`, pid)
		w.await(s.t, stepTimeout)
		release()
	} else {
		s.await(w)
	}
	for _, other := range s.workers {
		if other.blocked {
			s.await(other)
		}
	}
}

// canBeHeld reports whether hold can make a statement wait.
func canBeHeld(sql string) bool { return strings.Contains(sql, "INSERT INTO stats.daily_stats") }

// hold makes the next statement of a folder wait for a lock: it holds the rows of the folder's lane.
func (s *scheduler) hold(w *worker) (release func()) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	tx, err := s.admin.Begin(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = tx.Rollback(ctx) }) // a second one does nothing
	const insert = `
		INSERT INTO stats.daily_stats AS s (project, day, lane)
		SELECT 1, $2::date + n, l.objid::bigint - $3
		FROM generate_series(0, 9) n, pg_locks l
		WHERE l.pid = $1 AND l.locktype = 'advisory' AND l.objid::bigint >= $3
		ON CONFLICT (project, day, lane) DO UPDATE SET events = s.events`
	if tag, err := tx.Exec(ctx, insert, w.at.pid, firstDay, int64(locks.Lane(0).ID())); err != nil || tag.RowsAffected() == 0 {
		s.t.Fatalf("hold the rows of a lane: %d rows, %v", tag.RowsAffected(), err)
	}
	return func() {
		if err := tx.Rollback(ctx); err != nil {
			s.t.Fatal(err)
		}
	}
}

// await waits until a worker stands, or finds out which other worker keeps it from that. Writers that send the same
// events wait for each other; nobody else may wait, and nobody for a folder.
func (s *scheduler) await(w *worker) {
	s.t.Helper()
	pid, sql := w.at.pid, w.at.sql
	for end := time.Now().Add(stepTimeout); time.Now().Before(end); {
		if !w.blocked && w.await(s.t, look) {
			if w.leaves != 0 {
				s.gone(w.leaves) // its locks go with it; the order of steps must not depend on when
				w.leaves = 0
			}
			return
		}
		blockers := s.blockers(pid)
		w.blocked = w.blocked && len(blockers) > 0
		for _, blocker := range blockers {
			i := slices.IndexFunc(s.workers, func(other *worker) bool { return other.at.pid == blocker })
			if i < 0 {
				continue // autovacuum
			}
			other := s.workers[i]
			if w.folds || other.folds {
				s.t.Fatalf("%s waits for %s\n%s runs %s\n%s stands before %s", w.name, other.name, w.name, sql, other.name, other.at.sql)
			}
			if !w.blocked {
				w.blocked = true
				s.waits++
			}
			return
		}
	}
	s.t.Fatalf("%s does not come back within %s from %s", w.name, stepTimeout, sql)
}

// await waits until the worker stands. It reports whether it does.
func (w *worker) await(t *testing.T, timeout time.Duration) bool {
	t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case at := <-w.stops:
		w.at, w.blocked = at, false
		if at.done {
			w.finish(at.err)
		}
		return true
	case <-timer.C:
		return false
	}
}

// settle lets all jobs come to their end, without faults.
func (s *scheduler) settle() {
	s.t.Helper()
	for {
		i := slices.IndexFunc(s.workers, func(w *worker) bool { return !w.at.done && !w.blocked })
		if i < 0 {
			return
		}
		s.order(s.workers[i], goOn)
	}
}

// blockers returns the backends that a backend waits for.
func (s *scheduler) blockers(pid uint32) (pids []uint32) {
	s.t.Helper()
	if err := s.admin.QueryRow(s.t.Context(), `SELECT pg_blocking_pids($1)::bigint[]`, pid).Scan(&pids); err != nil {
		s.t.Fatal(err)
	}
	return pids
}

// gone waits until a backend has ended.
func (s *scheduler) gone(pid uint32) {
	s.t.Helper()
	platformtest.Eventually(s.t, stepTimeout, "the backend has ended", func() bool {
		var there bool
		if err := s.admin.QueryRow(s.t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, pid).Scan(&there); err != nil {
			s.t.Fatal(err)
		}
		return !there
	})
}

func (s *scheduler) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.admin.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}
