// Package rebuild recomputes the rollups of whole days from their raw rows, while ingest, folds and readers continue.
//
// A day is first counted into shadow tables from one snapshot, which blocks nobody however long it takes. Then one
// transaction locks the rollups for writers, adds what was folded since the snapshot, replaces the rows that differ and
// records that the day is done. Readers see the rollups from before or after that transaction. An interruption leaves the
// rollups as they were; the next rebuild of the same days resumes after the last day that is done.
package rebuild

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild/internal/postgres"
)

// resumable is how long after its start an interrupted rebuild is resumed. Days that it did longer ago may be wrong again,
// which may be the reason for this rebuild.
const resumable = 24 * time.Hour

// ErrRunning means that another rebuild is running.
var ErrRunning = postgres.ErrRunning

// NoRawRowsError lists the days that cannot be rebuilt.
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
	Restart  bool      // do not resume an interrupted rebuild of the same days
	// Redis is where version tokens are published, to invalidate cached answers. Without it they live until they expire.
	// May be nil.
	Redis *platformredis.Client
	Done  func(Day) // is called after each day; may be nil
}

// Day describes what was done for a day.
type Day struct {
	Day           time.Time
	Rows          int64         // raw rows that are counted now
	Late          int64         // those of them that were folded after the snapshot
	Before, After int64         // rollup rows
	Removed       int64         // rollup rows that differed, were surplus, or were in a lane other than 0
	Added         int64         // rollup rows that replaced them or were missing
	Took, Locked  time.Duration // in total, and while folds were kept out
	Unpublished   error         // why the caches could not be invalidated; nil if they were
}

// Report is the outcome.
type Report struct {
	Done    []Day
	Resumed []time.Time // days that an interrupted attempt had done
}

// rebuild is one attempt.
type rebuild struct {
	session *postgres.Session
	options Options
	id      int64 // in stats.rebuilds
}

// Run rebuilds day by day. After an error the days that were done stay done.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	session, err := postgres.Start(ctx, pool)
	if err != nil {
		return Report{}, platformpostgres.Classify(fmt.Errorf("rebuild: %w", err))
	}
	defer session.Close(ctx)
	r := &rebuild{session: session, options: o}
	report, err := r.run(ctx)
	if err != nil {
		return report, platformpostgres.Classify(fmt.Errorf("rebuild: %w", err))
	}
	return report, nil
}

func (r *rebuild) run(ctx context.Context) (Report, error) {
	from, to := r.options.From, r.options.To
	missing, err := r.session.DaysWithoutRawRows(ctx, from, to)
	if err != nil {
		return Report{}, err
	}
	if len(missing) > 0 {
		return Report{}, &NoRawRowsError{Days: missing}
	}
	record, err := r.session.Begin(ctx, from, to, resumable, r.options.Restart)
	if err != nil {
		return Report{}, err
	}
	r.id = record.ID
	report := Report{Resumed: record.Done}
	if len(record.Done) > 0 && r.options.Redis != nil {
		// The interrupted attempt may have ended before it published its last tokens. Publishing is best effort: without it
		// cached answers expire within seconds.
		_ = (redis.Versions{Client: r.options.Redis}).PublishAll(ctx)
	}
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		if slices.ContainsFunc(record.Done, d.Equal) {
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
	return report, r.session.Finish(ctx, r.id)
}
