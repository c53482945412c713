// Package postgres holds the SQL of a rebuild: the lock that makes it the only one, its record, the shadow tables that a
// day is counted into, and the swap of the rollups.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/locks"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// ErrRunning means that another rebuild holds the lock. There is only one set of shadow tables.
var ErrRunning = errors.New("another rebuild is running")

// Session is the session of the one rebuild that may run. Its connection holds the lock and does all writing, so a rebuild
// that has lost the lock cannot write any more.
type Session struct {
	pool *pgxpool.Pool // for the snapshots
	conn *pgx.Conn
}

// Start takes the lock, and waits for it at most some time. The caller must close the session.
func Start(ctx context.Context, pool *pgxpool.Pool, wait time.Duration) (*Session, error) {
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &Session{pool: pool, conn: pooled.Hijack()}
	if err := s.prepare(ctx, wait); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *Session) prepare(ctx context.Context, wait time.Duration) error {
	// Replacing a whole day takes longer than the statements of a request may.
	if _, err := s.conn.Exec(ctx, `SET statement_timeout = 0; SET work_mem = '64MB'; SET synchronous_commit = on`); err != nil {
		return fmt.Errorf("prepare the session: %w", err)
	}
	held, err := locks.Rebuild.TryHold(ctx, s.conn)
	if err == nil && !held && wait > 0 {
		held, err = s.queue(ctx, wait)
	}
	if err == nil && !held {
		err = ErrRunning
	}
	return err
}

// queue waits for the lock. Whoever releases it hands it over to the first who waits, so jobs that only try cannot get in before.
func (s *Session) queue(ctx context.Context, wait time.Duration) (held bool, err error) {
	if _, err := s.conn.Exec(ctx, `SELECT set_config('lock_timeout', $1, false)`, strconv.FormatInt(wait.Milliseconds(), 10)); err != nil {
		return false, fmt.Errorf("prepare the session: %w", err)
	}
	_, err = s.conn.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, locks.Rebuild.Class(), locks.Rebuild.ID())
	if _, timeout := platformpostgres.IsCode(err, platformpostgres.LockNotAvailable); timeout {
		return false, nil
	}
	if err == nil {
		_, err = s.conn.Exec(ctx, `RESET lock_timeout`)
	}
	if err != nil {
		return false, fmt.Errorf("wait for another rebuild: %w", err)
	}
	return true, nil
}

// Close releases the lock and ends the session. When it returns, another rebuild can start: the end of a session alone releases
// its locks some time after the connection is closed.
func (s *Session) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = s.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // a broken connection has lost the lock already
	_ = s.conn.Close(ctx)                                      // Postgres ends the session without a goodbye, too
}

// Projects returns the project of a slug, or all of them without a slug.
func (s *Session) Projects(ctx context.Context, slug string) ([]postgres.Project, error) {
	return postgres.Projects(ctx, s.conn, slug)
}

// DaysWithoutRawRows returns the days of a project in an inclusive range of which raw events were dropped.
func (s *Session) DaysWithoutRawRows(ctx context.Context, project postgres.Project, from, to localtime.Day) (days []localtime.Day, err error) {
	for day := from; day <= to; day++ {
		ok, err := s.HasAllRows(ctx, postgres.ScopeOf(project, day, day))
		if err != nil {
			return nil, err
		}
		if !ok {
			days = append(days, day)
		}
	}
	return days, nil
}

// HasAllRows reports whether no raw events of a scope were dropped.
func (s *Session) HasAllRows(ctx context.Context, scope postgres.Scope) (bool, error) {
	return postgres.HasAllRows(ctx, s.conn, scope)
}

// Read calls fn with a snapshot of the raw rows of a scope. It reports false, without calling fn, when raw events of the scope were
// dropped.
func (s *Session) Read(ctx context.Context, scope postgres.Scope, fn func(*postgres.Snapshot) error) (ok bool, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = platformpostgres.InTx(ctx, s.pool, options, func(tx pgx.Tx) error {
		// It is idle while the rows are counted on the other connection, but not for ever: retention and migrations wait for it.
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'`); err != nil {
			return fmt.Errorf("prepare the snapshot: %w", err)
		}
		var snapshot *postgres.Snapshot
		if snapshot, ok, err = postgres.TakeSnapshot(ctx, tx, scope); err != nil || !ok {
			return err
		}
		return fn(snapshot)
	})
	return ok, err
}
