package reconcile

import (
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
func spans(project postgres.Project, days []postgres.Day) (all []postgres.Span) {
	var rows int64 // of the last span
	for _, d := range days {
		if d.Dropped {
			continue
		}
		first := localtime.DayOfDate(d.Day)
		next, over := d.Day.AddDate(0, 0, 1), project.Zones.Over(first)
		last := len(all) - 1
		if last >= 0 && all[last].End.Equal(d.Day) && (rows+d.Rows <= spanRows || entangled(project.Zones, first)) {
			all[last].End, all[last].To = next, over
			rows += d.Rows
			continue
		}
		span := postgres.Span{Project: project, Day: d.Day, End: next, From: project.Zones.Start(first), To: over}
		rows = d.Rows
		if d.Rows < 2*partRows {
			all = append(all, span)
			continue
		}
		all = append(all, parts(span, min(d.Rows/partRows, mostParts))...)
	}
	return all
}

// entangled reports whether a day shares an hour with the day before, or begins before that is over. Then they can only be
// compared together. Clocks that are put back at midnight do that, and changes between zones that are a day apart.
func entangled(zones localtime.History, d localtime.Day) bool {
	start := zones.Start(d)
	return !zones.Over(d-1).Equal(start) || !zones.Hour(start).Equal(start)
}

// spreadDropped marks days as dropped that are entangled with one of which raw events were dropped.
func spreadDropped(zones localtime.History, days []postgres.Day) {
	spread := func(from, to int) {
		if days[from].Dropped && days[from].Day.AddDate(0, 0, to-from).Equal(days[to].Day) && entangled(zones, localtime.DayOfDate(days[max(from, to)].Day)) {
			days[to].Dropped = true
		}
	}
	for i := 1; i < len(days); i++ {
		spread(i-1, i)
	}
	for i := len(days) - 1; i > 0; i-- {
		spread(i, i-1)
	}
}

// parts divides a day by its products and users.
func parts(day postgres.Span, n int64) (all []postgres.Span) {
	for i := range n + 1 {
		day.Part = recount.Part{Of: n, N: i}
		all = append(all, day)
	}
	return all
}

// cut returns the date in the middle of a span at which it can be divided. ok is false if there is none.
func cut(span postgres.Span) (at time.Time, ok bool) {
	days := int(span.End.Sub(span.Day) / (24 * time.Hour))
	for n := days / 2; n > 0 && n < days; n++ {
		at = span.Day.AddDate(0, 0, n)
		if !entangled(span.Project.Zones, localtime.DayOfDate(at)) {
			return at, true
		}
	}
	return time.Time{}, false
}

// divide divides a span that is too large: into two ranges of days, or a day by its products and users. It returns nothing if that
// is not possible.
func divide(span postgres.Span) []postgres.Span {
	at, days := cut(span)
	switch part := span.Part; {
	case days:
		first, second := span, span
		first.End, first.To = at, span.Project.Zones.Start(localtime.DayOfDate(at))
		second.Day, second.From = first.End, first.To
		return []postgres.Span{first, second}
	case part.Whole():
		return parts(span, 2)
	case part.Totals() || part.Of >= mostParts:
		return nil
	default:
		first, second := span, span
		first.Part, second.Part = recount.Part{Of: 2 * part.Of, N: part.N}, recount.Part{Of: 2 * part.Of, N: part.N + part.Of}
		return []postgres.Span{first, second}
	}
}
