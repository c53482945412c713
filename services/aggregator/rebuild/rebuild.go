// Package rebuild makes the rollups of days anew from their raw rows, while ingest, folds and readers go on.
//
// A day is counted into shadow tables by one snapshot, which takes as long as it takes and is in nobody's way. Then a
// transaction locks the rollups for writers, adds what was folded since the snapshot, replaces the rows that differ and
// notes that the day is done. Readers see the rollups from before or from after it; whatever is interrupted leaves them as
// they were, and the next rebuild of the same days goes on behind the last one that is done.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	platformpg "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
)

// ErrRunning says that another rebuild is at work: there is one set of shadow tables.
var ErrRunning = errors.New("another rebuild is running")

// NoRawRowsError says which days cannot be rebuilt.
type NoRawRowsError struct{ Days []time.Time }

// Error implements error.
func (e *NoRawRowsError) Error() string {
	days := make([]string, len(e.Days))
	for i, d := range e.Days {
		days[i] = d.Format(time.DateOnly)
	}
	return "the raw rows of " + strings.Join(days, ", ") + " are gone (retention) or never were; rollups without raw rows stay as they are"
}

// Options say what is rebuilt.
type Options struct {
	From, To time.Time // inclusive UTC days
	Restart  bool      // do not go on with an interrupted rebuild of the same days
	// Redis is told what has changed; without it cached answers live until their time is over. May be nil.
	Redis goredis.UniversalClient
	Done  func(Day) // is called after each day; may be nil
}

// Day is what was done for a day.
type Day struct {
	Day           time.Time
	Rows          int64         // raw rows that are counted now
	Late          int64         // those of them that were folded while the others were being counted
	Before, After int64         // rollup rows
	Removed       int64         // rollup rows that were wrong, too many, or of a lane other than 0
	Added         int64         // rollup rows that took their place, or were missing
	Took, Locked  time.Duration // all in all, and while folds had to wait
	Unpublished   error         // why caches were not told, if they were not
}

// Report is the outcome.
type Report struct {
	Done    []Day
	Resumed []time.Time // days that were done by an attempt before this one
}

// Run rebuilds day by day. After an error the days that were done stay done.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	report, err := run(ctx, pool, o)
	if err != nil {
		return report, platformpg.Classify(fmt.Errorf("rebuild: %w", err))
	}
	return report, nil
}

// rebuild is one attempt.
type rebuild struct {
	pool    *pgxpool.Pool
	writer  *pgx.Conn // holds the lock of the one rebuild, and does all writing: nobody can write who has lost the lock
	options Options
	id      int64 // in stats.rebuilds
}

func run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("connect: %w", err)
	}
	r := &rebuild{pool: pool, writer: pooled.Hijack(), options: o}
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = r.writer.Close(closeCtx) // the lock goes with the session either way
	}()
	held, err := locks.Rebuild.TryHold(ctx, r.writer)
	if err != nil {
		return Report{}, err
	}
	if !held {
		return Report{}, ErrRunning
	}
	// Whole days take longer than a request may.
	if _, err := r.writer.Exec(ctx, `SET statement_timeout = 0; SET work_mem = '64MB'; SET synchronous_commit = on`); err != nil {
		return Report{}, fmt.Errorf("prepare: %w", err)
	}
	return r.all(ctx)
}

func (r *rebuild) all(ctx context.Context) (Report, error) {
	if err := r.checkRawRows(ctx); err != nil {
		return Report{}, err
	}
	done, err := r.begin(ctx)
	if err != nil {
		return Report{}, err
	}
	report := Report{Resumed: done}
	if len(done) > 0 && r.options.Redis != nil {
		// Who was interrupted may have had no time left to tell. Caches live for seconds, so failing is no reason to stop.
		_ = (redis.Versions{Client: r.options.Redis}).PublishAll(ctx)
	}
	for d := r.options.From; !d.After(r.options.To); d = d.AddDate(0, 0, 1) {
		if slices.ContainsFunc(done, d.Equal) {
			continue
		}
		day, err := r.day(ctx, d)
		if err != nil {
			return report, fmt.Errorf("%s: %w", d.Format(time.DateOnly), err)
		}
		report.Done = append(report.Done, day)
		if r.options.Done != nil {
			r.options.Done(day)
		}
	}
	return report, r.finish(ctx)
}

// checkRawRows refuses a range that has days without raw rows.
func (r *rebuild) checkRawRows(ctx context.Context) error {
	const query = `
		SELECT day::date
		FROM generate_series($1::date, $2::date, interval '1 day') AS day
		WHERE day::date NOT IN (SELECT whole.day FROM ingest.whole_days AS whole)
		   OR to_regclass('ingest.events_p' || to_char(day, 'YYYYMMDD')) IS NULL
		   OR to_regclass('ingest.purchases_p' || to_char(day, 'YYYYMMDD')) IS NULL
		ORDER BY day`
	rows, err := r.writer.Query(ctx, query, r.options.From, r.options.To)
	if err != nil {
		return fmt.Errorf("look for raw rows: %w", err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return fmt.Errorf("look for raw rows: %w", err)
	}
	if len(missing) > 0 {
		return &NoRawRowsError{Days: missing}
	}
	return nil
}
