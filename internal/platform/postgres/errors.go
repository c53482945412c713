package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// SQLSTATE codes that stores check for.
// Source: https://www.postgresql.org/docs/15/errcodes-appendix.html
const (
	NumericValueOutOfRange = "22003"

	UniqueViolation = "23505"
	// DeadlockDetected ends one of several transactions that wait for each other; it can be repeated.
	DeadlockDetected = "40P01"
	// SerializationFailure ends a transaction whose rows others have changed; it can be repeated.
	SerializationFailure = "40001"
	// LockNotAvailable is a lock that was not free within lock_timeout, or at once with NOWAIT.
	LockNotAvailable = "55P03"

	// QueryCanceled is a statement that took longer than statement_timeout, or that somebody canceled.
	QueryCanceled = "57014"

	CheckViolation = "23514" // also "no partition of relation found for row"
)

// unavailable is returned while Postgres cannot be used.
var unavailable = errs.New(errs.Unavailable, "database_unavailable", "The database cannot be reached right now. Try again shortly.")

// Classify adds a kind to err. A missing row becomes NotFound. A database that is down, starting, overloaded, read-only or too
// slow becomes Unavailable. An error that already has a kind keeps it, and any other error stays internal. nil stays nil.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.New(errs.NotFound, "not_found", "There is no such thing here.").Because(err)
	}
	if down(err) {
		return unavailable.Because(err)
	}
	return err
}

// IsCode reports whether err is a Postgres error with this SQLSTATE, and returns the constraint that raised it.
func IsCode(err error, code string) (constraint string, ok bool) {
	if pgErr, isPg := errors.AsType[*pgconn.PgError](err); isPg && pgErr.Code == code {
		return pgErr.ConstraintName, true
	}
	return "", false
}

// down reports whether err means that the database is temporarily unusable, as opposed to rejecting this statement.
func down(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code[:2] {
		case "08", "53", "57": // connection exception, insufficient resources, operator intervention (shutdown, timeout)
			return true
		}
		switch pgErr.Code {
		case ReadOnlyTransaction, // a failover is under way
			"40001", "40P01", // serialization failure, deadlock: a retry helps
			LockNotAvailable,
			"25P03",          // this process was frozen inside a transaction for longer than Postgres waits
			"3D000", "42P01", // no such database, no such table: the migrations have not run yet
			"3F000", "22023": // no such schema; the service's role does not exist yet
			return true
		}
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || brokenConnection(err)
}

// brokenConnection reports whether the connection broke during a statement.
func brokenConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
