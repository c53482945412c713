package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AdvisoryLock is the key of an advisory lock: its class in the upper 32 bits, its id in the lower ones. It is a key of
// Postgres' functions that take two integers. Keys of the functions that take one bigint are a space of their own, so
// the two kinds never collide.
type AdvisoryLock int64

// NewAdvisoryLock returns the key of an id in a class.
func NewAdvisoryLock(class, id int32) AdvisoryLock {
	return AdvisoryLock(int64(class)<<32 | int64(uint32(id)))
}

// Class returns the first of the two integers.
func (l AdvisoryLock) Class() int32 { return int32(l >> 32) }

// ID returns the second of the two integers.
func (l AdvisoryLock) ID() int32 { return int32(l) }

// String returns the key as Postgres' functions take it.
func (l AdvisoryLock) String() string { return fmt.Sprintf("(%d, %d)", l.Class(), l.ID()) }

// TryHold takes the lock for the session of conn, without waiting. It reports false when another session holds it.
// Closing conn releases it.
func (l AdvisoryLock) TryHold(ctx context.Context, conn *pgx.Conn) (held bool, err error) {
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, l.Class(), l.ID()).Scan(&held)
	if err != nil {
		return false, fmt.Errorf("take the advisory lock %s: %w", l, err)
	}
	return held, nil
}
