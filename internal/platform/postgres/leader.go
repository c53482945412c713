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

// Leader runs work on one process at a time, chosen by a session-level advisory lock. Losing the connection loses the
// lock, so work must tolerate a short overlap with its successor.
type Leader struct {
	Pool   *pgxpool.Pool
	Lock   AdvisoryLock  // one for each kind of work
	Retry  time.Duration // how often a follower tries, and how often the leader checks its lock
	Logger *slog.Logger
}

// Run blocks until ctx ends. Whenever this process holds the lock, work runs in a context that ends when the lock is
// lost; when work returns early, the process gives up the lock and tries for it again.
func (l *Leader) Run(ctx context.Context, work func(ctx context.Context) error) {
	for ctx.Err() == nil {
		if err := l.lead(ctx, work); err != nil && ctx.Err() == nil {
			l.Logger.WarnContext(ctx, "leadership", "lock", l.Lock.String(), "err", err)
		}
		wait(ctx, l.Retry)
	}
}

// lead tries once for the lock and works while it holds it.
func (l *Leader) lead(ctx context.Context, work func(context.Context) error) error {
	pooled, err := l.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	// The connection leaves the pool: closing it is what gives the lock up for certain.
	conn := pooled.Hijack()
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closeCtx) // the lock goes with the session either way
	}()

	if held, err := l.Lock.TryHold(ctx, conn); err != nil || !held {
		return err
	}
	l.Logger.InfoContext(ctx, "leading", "lock", l.Lock.String())
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
