package reconcile

import (
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// spanRows is how many raw rows a span has at most, unless it is a single day. A statement costs some milliseconds whatever it
// reads, so days with few rows are read together; more rows at once would go to temporary files.
const spanRows = 250_000

// spans groups the days of a project whose raw rows still exist, in order, into ranges without a gap.
func spans(project postgres.Project, days []postgres.Day) (all []postgres.Span, err error) {
	zone, err := localtime.Load(project.Zone)
	if err != nil {
		return nil, fmt.Errorf("project %s: %w", project.Slug, err)
	}
	start := func(date time.Time) time.Time { return localtime.DayOfDate(date).Start(zone) }
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
		all, rows = append(all, postgres.Span{Project: project, Day: d.Day, End: next, From: start(d.Day), To: start(next)}), d.Rows
	}
	return all, nil
}
