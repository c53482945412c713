package reconcile

import (
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

const (
	// spanRows is how many raw rows a span of several days has at most. A statement costs some milliseconds whatever it reads, so
	// days with few rows are read together; with more rows the tables of a span would not fit into the caches of a processor.
	spanRows = 60_000
	// partRows is how many raw rows a day has for each of its parts.
	partRows = 2_000_000
	// spanBytes is about how much memory the recount of a span may take. One that needs more is divided, and begins again.
	spanBytes = 64 << 20
	// mostParts is into how many parts a day is divided at most.
	mostParts = 1 << 12
)

// spans groups the days of a project whose raw rows still exist, in order, into ranges without a gap. A day with very many rows is
// several spans, so that all workers have a share.
func spans(project postgres.Project, days []postgres.Day) (all []postgres.Span, err error) {
	start, err := startsOf(project)
	if err != nil {
		return nil, err
	}
	var rows int64 // of the last span
	for _, d := range days {
		if d.Dropped {
			continue
		}
		next := d.Day.AddDate(0, 0, 1)
		if last := len(all) - 1; last >= 0 && all[last].End.Equal(d.Day) && rows+d.Rows <= spanRows {
			all[last].End, all[last].To = next, start(next)
			rows += d.Rows
			continue
		}
		span := postgres.Span{Project: project, Day: d.Day, End: next, From: start(d.Day), To: start(next)}
		rows = d.Rows
		if d.Rows < 2*partRows {
			all = append(all, span)
			continue
		}
		all = append(all, parts(span, min(d.Rows/partRows, mostParts))...)
	}
	return all, nil
}

// startsOf returns a function that tells when a date begins in a project.
func startsOf(project postgres.Project) (func(date time.Time) time.Time, error) {
	zone, err := localtime.Load(project.Zone)
	if err != nil {
		return nil, fmt.Errorf("project %s: %w", project.Slug, err)
	}
	return func(date time.Time) time.Time { return localtime.DayOfDate(date).Start(zone) }, nil
}

// parts divides a day by its products and users.
func parts(day postgres.Span, n int64) (all []postgres.Span) {
	for i := range n + 1 {
		day.Part = recount.Part{Of: n, N: i}
		all = append(all, day)
	}
	return all
}

// divide divides a span that is too large: into two ranges of days, or a day by its products and users. It returns nothing if that
// is not possible.
func divide(span postgres.Span) ([]postgres.Span, error) {
	days := int(span.End.Sub(span.Day) / (24 * time.Hour))
	switch part := span.Part; {
	case days > 1:
		start, err := startsOf(span.Project)
		if err != nil {
			return nil, err
		}
		first, second := span, span
		first.End = span.Day.AddDate(0, 0, days/2)
		first.To = start(first.End)
		second.Day, second.From = first.End, first.To
		return []postgres.Span{first, second}, nil
	case part.Whole():
		return parts(span, 2), nil
	case part.Totals() || part.Of >= mostParts:
		return nil, nil
	default:
		first, second := span, span
		first.Part, second.Part = recount.Part{Of: 2 * part.Of, N: part.N}, recount.Part{Of: 2 * part.Of, N: part.N + part.Of}
		return []postgres.Span{first, second}, nil
	}
}
