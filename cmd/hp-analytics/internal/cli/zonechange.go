package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// zonePoll is how often a waiting command looks at a change of a time zone.
const zonePoll = 500 * time.Millisecond

// zoneOpen reports whether numbers of a project are still to be counted by its time zone.
func zoneOpen(p accounts.Project) bool {
	return p.ZoneChange != nil && p.ZoneChange.State != accounts.ZoneDone
}

// zoneText returns the time zone of a project, and how far the change to it is.
func zoneText(p accounts.Project) string {
	if !zoneOpen(p) {
		return p.TimeZone
	}
	return fmt.Sprintf("%s (%s)", p.TimeZone, zoneProgress(*p.ZoneChange))
}

func zoneProgress(c accounts.ZoneChange) string {
	return fmt.Sprintf("%s: %d of %s", c.State, c.DaysDone, quantity.Of(c.DaysTotal, "day"))
}

// awaitZone prints the progress of a change of the time zone of a project until it is done. The aggregator makes it, so the wait can be
// ended at any time. Failures are printed; the aggregator tries again.
func (e environment) awaitZone(ctx context.Context, pool *pgxpool.Pool, p accounts.Project) (err error) {
	ticker := time.NewTicker(zonePoll)
	defer ticker.Stop()
	printed := ""
	for zoneOpen(p) {
		line := zoneProgress(*p.ZoneChange)
		if p.ZoneChange.State == accounts.ZoneFailing {
			line += ", " + p.ZoneChange.Failure
		}
		if line != printed {
			if _, err := fmt.Fprintln(e.stdout, line); err != nil {
				return err
			}
			printed = line
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if p, err = accounts.FindProject(ctx, pool, p.Slug); err != nil {
			return refused(err)
		}
	}
	text := "all numbers are counted by " + p.TimeZone
	if c := p.ZoneChange; c != nil && c.DaysKept > 0 {
		text = fmt.Sprintf("%s are counted by %s; %s before keep the former zone, because their raw events are gone",
			quantity.Of(c.DaysDone, "day"), p.TimeZone, quantity.Of(c.DaysKept, "day"))
	}
	_, err = fmt.Fprintln(e.stdout, text)
	return err
}
