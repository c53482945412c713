// Package rebuild recomputes the rollups of whole days of projects from their raw rows, while ingest, folds and readers continue.
//
// A day is first counted into shadow tables from one snapshot, which blocks nobody however long it takes. Then one
// transaction locks the rollups for writers, adds what was folded since the snapshot, replaces the rows that differ and
// records that the day is done. Readers see the rollups from before or after that transaction. An interruption leaves the
// rollups as they were; the next rebuild of the same days resumes after the last day that is done.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	aggregatorpostgres "github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild/internal/postgres"
)

// resumable is how long after its start an interrupted rebuild is resumed. Days that it did longer ago may be wrong again,
// which may be the reason for this rebuild.
const resumable = 24 * time.Hour

// ErrRunning means that another rebuild is running.
var ErrRunning = postgres.ErrRunning

// ErrNoProject means that there is no project of the given name.
var ErrNoProject = errors.New("there is no such project")

// NoRawRowsError lists the days of a project that cannot be rebuilt.
type NoRawRowsError struct {
	Project string // its slug
	Days    []localtime.Day
}

// Error implements error.
func (e *NoRawRowsError) Error() string {
	days := make([]string, len(e.Days))
	for i, d := range e.Days {
		days[i] = d.String()
	}
	return "raw events of " + strings.Join(days, ", ") + " in the project " + e.Project + " were dropped (retention); the rollups of these days stay as they are"
}

// Options say what is rebuilt.
type Options struct {
	Project  string        // the slug of a project; empty for all of them
	From, To localtime.Day // inclusive days of each project
	Restart  bool          // do not resume an interrupted rebuild of the same days
	Wait     time.Duration // how long to wait for the end of another rebuild before ErrRunning
	// Redis is where version tokens are published, to invalidate cached answers. Without it they live until they expire.
	// May be nil.
	Redis *platformredis.Client
	Done  func(Day) // is called after each day; may be nil
}

// Day describes what was done for a day.
type Day struct {
	Project       string // its slug
	Day           localtime.Day
	Rows          int64         // raw rows that are counted now: events and the lines of orders and refunds
	Late          int64         // those of them that were folded after the snapshot
	Before, After int64         // rollup rows
	Removed       int64         // rollup rows, in all lanes, that differed or were surplus
	Added         int64         // rollup rows that replaced them or were missing
	Took, Locked  time.Duration // in total, and while folds were kept out
	Unpublished   error         // why the caches could not be invalidated; nil if they were
}

// Report is the outcome.
type Report struct {
	Done    []Day
	Resumed int // days that an interrupted attempt had done
}

// rebuild is one attempt for a project.
type rebuild struct {
	session *postgres.Session
	options Options
	project aggregatorpostgres.Project
	id      int64 // in stats.rebuilds
}

// Run rebuilds project by project and day by day. After an error the days that were done stay done.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	session, err := postgres.Start(ctx, pool, o.Wait)
	if err != nil {
		return Report{}, platformpostgres.Classify(fmt.Errorf("rebuild: %w", err))
	}
	defer session.Close(ctx)
	var report Report
	if err := runAll(ctx, session, o, &report); err != nil {
		return report, platformpostgres.Classify(fmt.Errorf("rebuild: %w", err))
	}
	return report, nil
}

// runAll refuses days without raw rows before it changes anything.
func runAll(ctx context.Context, session *postgres.Session, o Options, report *Report) error {
	projects, err := session.Projects(ctx, o.Project)
	if err != nil {
		return err
	}
	if len(projects) == 0 {
		return fmt.Errorf("%w: %s", ErrNoProject, o.Project)
	}
	for _, project := range projects {
		missing, err := session.DaysWithoutRawRows(ctx, project, o.From, o.To)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return &NoRawRowsError{Project: project.Slug, Days: missing}
		}
	}
	for _, project := range projects {
		r := &rebuild{session: session, options: o, project: project}
		if err := r.run(ctx, report); err != nil {
			return fmt.Errorf("project %s: %w", project.Slug, err)
		}
	}
	return nil
}

func (r *rebuild) run(ctx context.Context, report *Report) error {
	record, err := r.session.Begin(ctx, r.project, r.options.From, r.options.To, resumable, r.options.Restart)
	if err != nil {
		return err
	}
	r.id = record.ID
	report.Resumed += len(record.Done)
	if len(record.Done) > 0 && r.options.Redis != nil {
		// The interrupted attempt may have ended before it published its last tokens. Publishing is best effort: without it
		// cached answers expire within seconds.
		_ = (redis.Versions{Client: r.options.Redis}).PublishAll(ctx)
	}
	for d := r.options.From; d <= r.options.To; d++ {
		if slices.Contains(record.Done, d) {
			continue
		}
		day, err := r.day(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
		report.Done = append(report.Done, day)
		if r.options.Done != nil {
			r.options.Done(day)
		}
	}
	return r.session.Finish(ctx, r.id)
}
