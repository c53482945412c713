// Package reconcile recounts every rollup from the raw rows and reports each difference. It is the oracle for the promise
// that the numbers are right, so it is independent of the folding: it reads the raw rows and counts them by itself, Postgres tells
// in which hours and days they are, and even the list of counters is its own. It may share with the fold only the formats of
// sketches and sets of users, and when days begin.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// Options say what is recounted.
type Options struct {
	Project  string     // the slug of a project; empty for all of them
	From, To *time.Time // inclusive days of each project; nil means no bound
	// Details is where each difference is written, one a line.
	Details io.Writer

	bytes int // in place of spanBytes
}

// Report is the outcome.
type Report struct {
	Projects    int
	Days        int   // days of projects that were recounted
	Rows        int64 // raw events and lines of orders and refunds of those days
	Compared    int64 // rollup rows that were compared
	Differences int
	Tables      []Table       // those with differences, by project and name
	Unchecked   []Unchecked   // days that have rollups but whose raw events were dropped (retention), by project
	PendingRows int64         // rows of pending batches, which must not be in the rollups yet
	Proven      int64         // imports of history whose days are proven now, so that retention may drop them
	Failed      []FailedBatch // batches that are set aside, whose rows must not be in the rollups either
	Erasures    int           // erasures of users that run: until they are done, what they have not reached differs
}

// Table sums up the differences of a table in a project.
type Table struct {
	Project     string // its slug
	Name        string
	Differences int
	First, Last time.Time // days with differences; zero if the table has no days
}

// Unchecked are days of a project that could not be recounted.
type Unchecked struct {
	Project string // its slug
	Days    []time.Time
}

// FailedBatch is a batch that the aggregator could not fold.
type FailedBatch = postgres.FailedBatch

// ErrNoProject means that there is no project of the given name.
var ErrNoProject = errors.New("there is no such project")

// ErrNotRecorded means that the recount is done and its report is good, but the database did not store the result: metrics and
// doctor do not know of it, and imports may not be proven.
var ErrNotRecorded = errors.New("the result is not recorded")

// workers is how many sessions recount at once. Each keeps a core busy.
const workers = 2

// Run recounts in one snapshot, while the platform continues to work. It reads the raw rows of a span of days at a time, once,
// and compares what it has counted with the rollup rows of these days. Counting in Postgres would cost three times the CPU time,
// as each rollup would sort or hash the rows again. Each session takes at most about spanBytes for that, twice with garbage. An
// error means that the recount failed, or, if it is ErrNotRecorded, that only its result is not stored, as in a database that is
// read-only. Differences are no error.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	r := &run{options: o, budget: cmp.Or(o.bytes, spanBytes), results: map[string]*postgres.Result{}}
	err := postgres.Read(ctx, pool, workers, func(snapshots []postgres.Snapshot) error { return r.all(ctx, snapshots) })
	if err != nil {
		return Report{}, platformpostgres.Classify(fmt.Errorf("reconcile: %w", err))
	}
	if err := r.record(ctx, pool); err != nil {
		return r.report, platformpostgres.Classify(fmt.Errorf("reconcile: %w: %w", ErrNotRecorded, err))
	}
	return r.report, nil
}

// run is one reconciliation.
type run struct {
	options Options
	budget  int // the bytes that the recount of a span may take
	report  Report
	begun   time.Time // when the snapshot was taken
	// results are what is recorded of each project, by its slug.
	results map[string]*postgres.Result
	// finished are the imports that are proven if there are no differences in their projects.
	finished []postgres.Import
}

// record stores the results, and marks the imports that they prove.
func (r *run) record(ctx context.Context, pool *pgxpool.Pool) error {
	err := postgres.Record(ctx, pool, slices.Collect(maps.Values(r.results)), r.begun, r.options.From, r.options.To)
	if err != nil {
		return err
	}
	if proven := r.proven(); len(proven) > 0 {
		r.report.Proven, err = postgres.Prove(ctx, pool, proven, r.begun)
	}
	return err
}

// proven returns the finished imports of projects without differences. What is wrong in one says nothing about another.
func (r *run) proven() []postgres.Import {
	return slices.DeleteFunc(slices.Clone(r.finished), func(i postgres.Import) bool {
		return slices.ContainsFunc(r.report.Tables, func(t Table) bool {
			result, known := r.results[t.Project]
			return !known || result.Project == i.Project
		})
	})
}

func (r *run) all(ctx context.Context, snapshots []postgres.Snapshot) error {
	first := snapshots[0]
	var err error
	if r.begun, err = first.Begun(ctx); err != nil {
		return err
	}
	if r.finished, err = first.FinishedImports(ctx, r.options.Project, r.options.From, r.options.To); err != nil {
		return err
	}
	if r.report.PendingRows, err = first.PendingRows(ctx, r.options.Project); err != nil {
		return err
	}
	if r.report.Failed, err = first.FailedBatches(ctx, r.options.Project); err != nil {
		return err
	}
	if r.report.Erasures, err = first.Erasures(ctx, r.options.Project); err != nil {
		return err
	}
	projects, err := first.Projects(ctx, r.options.Project)
	if err != nil {
		return err
	}
	if len(projects) == 0 {
		return fmt.Errorf("%w: %s", ErrNoProject, r.options.Project)
	}
	r.report.Projects = len(projects)
	checks := []*check{{what: "receipts", run: r.checkReceipts}} // which, like users, is long and cannot be divided
	for _, p := range projects {
		r.results[p.Slug] = &postgres.Result{Project: p.ID}
		ofProject, err := r.checksOf(ctx, first, p)
		if err != nil {
			return err
		}
		checks = append(checks, ofProject...)
	}
	return r.run(ctx, snapshots, checks)
}

// checksOf returns the checks of a project. The long ones come first.
func (r *run) checksOf(ctx context.Context, snapshot postgres.Snapshot, p postgres.Project) ([]*check, error) {
	days, err := snapshot.Days(ctx, p, r.options.From, r.options.To)
	if err != nil {
		return nil, err
	}
	spreadDropped(p.Zones, days)
	unchecked := Unchecked{Project: p.Slug}
	for _, d := range days {
		if d.Dropped {
			unchecked.Days = append(unchecked.Days, d.Day)
		} else {
			r.report.Days++
			r.results[p.Slug].Days++
		}
	}
	if len(unchecked.Days) > 0 {
		r.report.Unchecked = append(r.report.Unchecked, unchecked)
	}
	checks := []*check{
		{what: "users of " + p.Slug, slug: p.Slug, run: func(ctx context.Context, s postgres.Snapshot, f *findings) error {
			return s.WrongUsers(ctx, p, f.fault)
		}},
		{what: "orders of " + p.Slug, slug: p.Slug, run: func(ctx context.Context, s postgres.Snapshot, f *findings) error {
			return s.WrongOrders(ctx, p, f.fault)
		}},
		{what: "segments of " + p.Slug, slug: p.Slug, run: func(ctx context.Context, s postgres.Snapshot, f *findings) error {
			return s.WrongSegments(ctx, p, r.options.From, r.options.To, f.fault)
		}},
	}
	compare := spanCheck{budget: r.budget, references: newReferences()}
	for _, span := range spans(p, days) {
		checks = append(checks, &check{what: p.Slug + " from " + span.Day.Format(time.DateOnly), slug: p.Slug, run: func(ctx context.Context, s postgres.Snapshot, f *findings) error {
			return compare.run(ctx, s, span, f)
		}})
	}
	return checks, nil
}

func (r *run) checkReceipts(ctx context.Context, s postgres.Snapshot, f *findings) error {
	return s.IncompleteBatches(ctx, r.options.Project, r.options.From, r.options.To, f.fault)
}

// take adds what a check of a project, or of all of them, has found to the report and to the results, and prints it.
func (r *run) take(slug string, f *findings) error {
	if result := r.results[slug]; result != nil {
		result.Rows += f.rows
		result.Compared += f.compared
	}
	r.report.Rows += f.rows
	r.report.Compared += f.compared
	for _, d := range f.differences {
		r.report.note(d)
		if result := r.results[d.Project]; result != nil {
			result.Differences++
		}
		where := []string{d.Project, d.Table}
		if !d.Day.IsZero() {
			where = append(where, d.Day.Format(time.DateOnly))
		}
		if d.Key != "" {
			where = append(where, d.Key)
		}
		if _, err := fmt.Fprintf(r.options.Details, "%s: %s\n", strings.Join(where, " "), d.Text); err != nil {
			return fmt.Errorf("print a difference: %w", err)
		}
	}
	return nil
}

// note counts a difference.
func (r *Report) note(d postgres.Fault) {
	r.Differences++
	i, found := slices.BinarySearchFunc(r.Tables, d, func(t Table, d postgres.Fault) int {
		return slices.Compare([]string{t.Project, t.Name}, []string{d.Project, d.Table})
	})
	if !found {
		r.Tables = slices.Insert(r.Tables, i, Table{Project: d.Project, Name: d.Table, First: d.Day, Last: d.Day})
	}
	t := &r.Tables[i]
	t.Differences++
	if day := d.Day; !day.IsZero() {
		if t.First.IsZero() || day.Before(t.First) {
			t.First = day
		}
		if day.After(t.Last) {
			t.Last = day
		}
	}
}
