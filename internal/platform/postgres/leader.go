package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Leader runs work in one process at a time, elected by a session-level advisory lock. A lost connection, or a leader that was
// frozen, releases the lock before the old leader notices, so work must tolerate a short overlap with the next leader.
type Leader struct {
	Pool   *pgxpool.Pool
	Lock   AdvisoryLock  // one for each kind of work
	Retry  time.Duration // how often a follower tries to take the lock, and how often the leader checks its connection
	Logger *slog.Logger
}

// Run blocks until ctx ends. While this process holds the lock, work runs in a context that ends when the lock is lost. If
// work returns early, Run releases the lock and tries to take it again.
func (l *Leader) Run(ctx context.Context, work func(ctx context.Context) error) {
	for ctx.Err() == nil {
		if err := l.lead(ctx, work); err != nil && ctx.Err() == nil {
			l.Logger.WarnContext(ctx, "leadership lost or not obtained", "lock", l.Lock.String(), "err", err)
		}
		wait(ctx, l.Retry)
	}
}

// lead tries once to take the lock, and runs work while it holds it.
func (l *Leader) lead(ctx context.Context, work func(context.Context) error) error {
	pooled, err := l.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	// The connection leaves the pool, because only closing it certainly releases the lock.
	conn := pooled.Hijack()
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closeCtx) // the lock ends with the session in any case
	}()

	if held, err := l.Lock.TryHold(ctx, conn); err != nil || !held {
		return err
	}
	if err := l.limitSilence(ctx, conn); err != nil {
		return err
	}
	l.Logger.InfoContext(ctx, "leading: lock acquired", "lock", l.Lock.String())
	workCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(workCtx) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(l.Retry):
			if err := ping(ctx, conn, l.Retry); err != nil {
				cancel()
				return errors.Join(fmt.Errorf("lost the lock's connection: %w", err), <-done)
			}
		}
	}
}

// limitSilence makes Postgres end the session, and thereby release the lock, when it has heard nothing from this process for five
// checks of the connection: the process is frozen, or its node is gone.
func (l *Leader) limitSilence(ctx context.Context, conn *pgx.Conn) error {
	silence := max(5*l.Retry, 5*time.Second)
	if _, err := conn.Exec(ctx, fmt.Sprintf(`SET idle_session_timeout = %d`, silence.Milliseconds())); err != nil {
		return fmt.Errorf("limit the silence of the leader: %w", err)
	}
	return nil
}

func ping(ctx context.Context, conn *pgx.Conn, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, max(timeout, time.Second))
	defer cancel()
	return conn.Ping(ctx)
}

// wait blocks for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
