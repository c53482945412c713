package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

const (
	// maxFailure bounds the bytes of a stored failure, as constraints of ingest.batches and ingest.erasures do.
	maxFailure = 1000
	// retriesPerCall bounds how many failed batches one RetryFailed folds, and with it how long it takes.
	retriesPerCall = 100
)

// errContent marks an error that the rows of a batch cause, not the state of the database.
var errContent = errors.New("the content of a batch cannot be folded")

// isContent reports whether the content of a batch causes err, so that other batches can be folded without it. Anything
// else, such as a lost connection, a timeout, a lock or a missing privilege, concerns every batch and marks none.
func isContent(err error) bool {
	if errors.Is(err, errContent) || errors.Is(err, facts.ErrDamaged) {
		return true
	}
	if _, ok := errors.AsType[pgx.ScanArgError](err); ok { // a value that no row can have
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code[:2] {
		case "22", "23", "XX": // data exception, integrity constraint violation, corrupted data
			return true
		}
	}
	return false
}

// Failure is a batch that could not be folded and was set aside.
type Failure struct {
	Batch    int64
	Project  string    // its slug
	Attempts int       // how many times folding it alone has failed
	Next     time.Time // when it is tried again
	Err      error
}

// bisect folds batches that failed together because of their content: each half in a transaction of its own, and so on,
// until a batch that fails is alone and is set aside. With k of n at fault that costs O(k·log n) transactions. Batches
// that another fold has taken since are left to it.
func (s Store) bisect(ctx context.Context, done *Folded, batches []batch) error {
	if len(batches) == 1 {
		_, err := s.foldAlone(ctx, done, func(ctx context.Context, tx pgx.Tx) ([]batch, error) {
			return lockThese(ctx, tx, batches)
		})
		return err
	}
	half := len(batches) / 2
	for _, part := range [][]batch{batches[:half], batches[half:]} {
		claimed, err := s.fold(ctx, done, func(ctx context.Context, tx pgx.Tx, _ int16) ([]batch, error) {
			return lockThese(ctx, tx, part)
		})
		if isContent(err) {
			err = s.bisect(ctx, done, claimed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RetryFailed folds failed batches whose time has come, each alone. Those that fail again wait twice as long as before.
func (s Store) RetryFailed(ctx context.Context) (Folded, error) {
	done := Folded{Changed: rollup.Changed{}}
	const query = `
		SELECT ` + batchColumns + `
		FROM ingest.batches
		WHERE aggregated_at IS NULL AND failed_at IS NOT NULL AND next_attempt_at <= clock_timestamp()
		ORDER BY next_attempt_at
		LIMIT 1
		FOR UPDATE SKIP LOCKED`
	for range retriesPerCall {
		tried, err := s.foldAlone(ctx, &done, func(ctx context.Context, tx pgx.Tx) ([]batch, error) {
			return collectBatches(ctx, tx, query)
		})
		if err != nil {
			return done, postgres.Classify(fmt.Errorf("retry failed batches: %w", err))
		}
		if !tried {
			break
		}
	}
	return done, nil
}

// foldAlone folds the one batch that claim locks, or sets it aside. The batch stays locked from the attempt to the mark, so
// no other fold can count it in between. It reports false when claim finds none.
func (s Store) foldAlone(ctx context.Context, done *Folded, claim func(context.Context, pgx.Tx) ([]batch, error)) (tried bool, err error) {
	var rows int
	var parts *rollup.Parts
	var failure *Failure
	changed := rollup.Changed{}
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		lane, ok, err := s.takeLane(ctx, tx)
		if err != nil || !ok {
			return err
		}
		batches, err := claim(ctx, tx)
		if err != nil || len(batches) == 0 {
			return err
		}
		tried = true
		err = postgres.InSavepoint(ctx, tx, func(tx pgx.Tx) (err error) {
			parts = s.parts(ctx, tx, lane, changed)
			rows, err = add(ctx, tx, batches, parts)
			return err
		})
		if isContent(err) {
			failure, err = setAside(ctx, tx, batches[0], err)
		}
		return err
	})
	switch {
	case err != nil || !tried:
		return false, err
	case failure != nil:
		done.Failed = append(done.Failed, *failure)
	default:
		done.count(1, rows, parts, changed)
	}
	return true, nil
}

// slug is the slug of a batch's project, or its number if there is no such project.
const slug = `coalesce((SELECT slug FROM auth.projects WHERE projects.id = batches.project), project::text)`

// setAside marks a batch as failed. The pause before the next attempt doubles from a minute up to an hour.
func setAside(ctx context.Context, tx pgx.Tx, b batch, cause error) (*Failure, error) {
	const mark = `
		UPDATE ingest.batches
		SET failed_at = clock_timestamp(), attempts = attempts + 1, failure = $2,
		    next_attempt_at = clock_timestamp() + least(interval '1 hour', interval '1 minute' * power(2, least(attempts, 6)))
		WHERE project = $3 AND id = $1 AND aggregated_at IS NULL
		RETURNING ` + slug + `, attempts, next_attempt_at`
	f := &Failure{Batch: b.id, Err: cause}
	if err := tx.QueryRow(ctx, mark, b.id, Bounded(cause.Error()), b.project).Scan(&f.Project, &f.Attempts, &f.Next); err != nil {
		return nil, fmt.Errorf("set batch %d aside: %w", b.id, err)
	}
	return f, nil
}

// Bounded returns the text of an error in a form that fits the columns where failures are recorded: valid UTF-8 without NUL, of at most maxFailure bytes.
func Bounded(text string) string { return postgres.Text(text, maxFailure) }

// FailedBatch is a batch that is set aside.
type FailedBatch struct {
	ID         int64
	Project    string // its slug
	Kind       string // of its rows: events, orders or refunds
	Rows       int64
	ReceivedAt time.Time
	FailedAt   time.Time
	Next       time.Time // when it is folded again
	Attempts   int
	Failure    string
}

// Failed lists the failed batches, those that are retried first at the beginning.
func (s Store) Failed(ctx context.Context) ([]FailedBatch, error) {
	const query = `
		SELECT id, ` + slug + `, kind, rows, received_at, failed_at, next_attempt_at, attempts, failure
		FROM ingest.batches
		WHERE aggregated_at IS NULL AND failed_at IS NOT NULL
		ORDER BY next_attempt_at, id`
	rows, _ := s.Pool.Query(ctx, query) // CollectRows returns its error
	failed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FailedBatch])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list failed batches: %w", err))
	}
	return failed, nil
}

// The actions that the audit log has of this service.
const (
	batchesReleased  = "batches.released"
	retentionApplied = "retention.applied"
)

// Release makes failed batches due now, all of them without ids, and returns those that it found. The leader folds each
// alone, so a batch that is still damaged is set aside again.
func (s Store) Release(ctx context.Context, batches ...int64) ([]int64, error) {
	const release = `
		UPDATE ingest.batches
		SET next_attempt_at = clock_timestamp()
		WHERE aggregated_at IS NULL AND failed_at IS NOT NULL AND (cardinality($1::bigint[]) = 0 OR id = ANY($1))
		RETURNING id`
	if batches == nil {
		batches = []int64{}
	}
	var released []int64
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		rows, _ := tx.Query(ctx, release, batches) // CollectRows returns its error
		if released, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(released) == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Action: batchesReleased, Subject: "batches", Details: audit.Details{"batches": len(released), "first": slices.Min(released), "last": slices.Max(released)},
		})
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("release failed batches: %w", err))
	}
	return released, nil
}
