package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

// onConnection runs a statement that writes. If ctx says how long it may wait for locks (committer.LockWait), the connection
// has this timeout meanwhile. A transaction with SET LOCAL would do the same, but would hold its locks while a frozen process does
// not end it.
func (s *Store) onConnection(ctx context.Context, write func(conn *pgx.Conn) error) error {
	return s.pool.AcquireFunc(ctx, func(pooled *pgxpool.Conn) error {
		conn := pooled.Conn()
		wait, short := committer.LockWait(ctx)
		if !short {
			return write(conn)
		}
		usual, err := setLockTimeout(ctx, conn, strconv.FormatInt(max(wait.Milliseconds(), 1), 10))
		if err != nil {
			return err
		}
		err = write(conn)
		if _, failed := setLockTimeout(ctx, conn, usual); failed != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(closing) // the next user must not have our timeout
		}
		return err
	})
}

// repeatedOnConnection does the same, again after a deadlock.
func (s *Store) repeatedOnConnection(ctx context.Context, write func(conn *pgx.Conn) error) error {
	return repeated(func() error { return s.onConnection(ctx, write) })
}

// setLockTimeout sets the lock_timeout of a session and returns the one before.
func setLockTimeout(ctx context.Context, conn *pgx.Conn, timeout string) (before string, err error) {
	err = conn.QueryRow(ctx, `SELECT before, set_config('lock_timeout', $1, false)
		FROM current_setting('lock_timeout') AS before`, timeout).Scan(&before, new(string))
	if err != nil {
		return "", fmt.Errorf("set lock_timeout: %w", err)
	}
	return before, nil
}
