// Package reconcile recounts every rollup from the raw rows and reports each difference. It is the oracle for the promise
// that the numbers are right, so it is independent of the folding: all counting is SQL over the raw rows, and even the list
// of counters is its own. It may share with the fold only the format of sketches.
package reconcile

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// Options say what is recounted.
type Options struct {
	From, To *time.Time // inclusive UTC days; nil means no bound
	// Details is where each difference is written, one a line, as it is found.
	Details io.Writer
}

// Report is the outcome.
type Report struct {
	Days        int   // days that were recounted
	Rows        int64 // raw events and purchases of those days
	Compared    int64 // rollup rows that were compared
	Differences int
	Tables      []Table       // those with differences, by name
	Unchecked   []time.Time   // days that have rollups but whose raw rows are gone (retention)
	PendingRows int64         // rows of pending batches, which must not be in the rollups yet
	Failed      []FailedBatch // batches that are set aside, whose rows must not be in the rollups either
}

// Table sums up the differences of a table.
type Table struct {
	Name        string
	Differences int
	First, Last time.Time // days with differences; zero if the table has no days
}

// FailedBatch is a batch that the aggregator could not fold.
type FailedBatch = postgres.FailedBatch

// Run recounts in one snapshot, while the platform continues to work. It reads a span of days at a time. Postgres joins the
// recount with the rollups, so only differences leave the database. An error means that the recount failed; differences
// are no error.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	r := &run{options: o}
	err := postgres.Read(ctx, pool, func(snapshot postgres.Snapshot) error {
		r.snapshot = snapshot
		return r.all(ctx)
	})
	if err != nil {
		return Report{}, platformpostgres.Classify(fmt.Errorf("reconcile: %w", err))
	}
	return r.report, nil
}

// run is one reconciliation.
type run struct {
	snapshot postgres.Snapshot
	options  Options
	report   Report
}

func (r *run) all(ctx context.Context) error {
	var err error
	if r.report.PendingRows, err = r.snapshot.PendingRows(ctx); err != nil {
		return err
	}
	if r.report.Failed, err = r.snapshot.FailedBatches(ctx); err != nil {
		return err
	}
	days, err := r.snapshot.Days(ctx, r.options.From, r.options.To)
	if err != nil {
		return err
	}
	for _, d := range days {
		if d.Raw {
			r.report.Days++
		} else {
			r.report.Unchecked = append(r.report.Unchecked, d.Day)
		}
	}
	for _, span := range spans(days) {
		for _, check := range []func(context.Context, postgres.Span) error{r.checkCounts, r.checkSketches, r.checkReferences} {
			if err := check(ctx, span); err != nil {
				return fmt.Errorf("from %s: %w", span.From.Format(time.DateOnly), err)
			}
		}
	}
	return r.checkReceipts(ctx)
}

// differ reports a difference in a table. day is zero for a table without days, and key may be empty.
func (r *run) differ(table string, day time.Time, key, format string, args ...any) error {
	r.report.note(table, day)
	where := []string{table}
	if !day.IsZero() {
		where = append(where, day.Format(time.DateOnly))
	}
	if key != "" {
		where = append(where, key)
	}
	if _, err := fmt.Fprintf(r.options.Details, "%s: %s\n", strings.Join(where, " "), fmt.Sprintf(format, args...)); err != nil {
		return fmt.Errorf("print a difference: %w", err)
	}
	return nil
}

// note counts a difference.
func (r *Report) note(name string, day time.Time) {
	r.Differences++
	i, found := slices.BinarySearchFunc(r.Tables, name, func(t Table, name string) int { return strings.Compare(t.Name, name) })
	if !found {
		r.Tables = slices.Insert(r.Tables, i, Table{Name: name, First: day, Last: day})
	}
	t := &r.Tables[i]
	t.Differences++
	if day.Before(t.First) {
		t.First = day
	}
	if day.After(t.Last) {
		t.Last = day
	}
}
