package postgres

import (
	"time"

	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

// zoneColumn is by which time zone a project p counts now, and the last change of it; NULL in the statement that creates p.
const zoneColumn = `(
		SELECT jsonb_build_object('zone', z.time_zone, 'since', nullif(z.since, '-infinity'), 'from', c.from_zone, 'to', c.to_zone,
			'done', c.days_done, 'total', c.days_total, 'kept', c.days_kept, 'failure', c.failure,
			'started', c.started_at, 'finished', c.finished_at)
		FROM stats.zones AS z LEFT JOIN stats.zone_changes AS c ON c.project = z.project
		WHERE z.project = p.id ORDER BY z.since DESC LIMIT 1)`

// zoneState is what zoneColumn has. Where there was no change, its members are nil.
type zoneState struct {
	Zone              string
	Since             *time.Time
	From, To          *string
	Done, Total, Kept *int
	Failure           *string
	Started, Finished *time.Time
}

// change returns the change to the zone that the project shall have; nil if it always had it.
func (s *zoneState) change(wanted string) *project.ZoneChange {
	switch {
	case s == nil:
		return nil
	case s.To == nil || *s.To != wanted || s.Zone != wanted && s.Finished != nil:
		// The aggregator has not begun with it. What the table says is about an earlier change.
		if s.Zone == wanted {
			return nil
		}
		return &project.ZoneChange{From: s.Zone, To: wanted, State: project.ZoneWaiting}
	}
	c := &project.ZoneChange{
		From: *s.From, To: wanted, State: project.ZoneRunning, DaysDone: *s.Done, DaysTotal: *s.Total, DaysKept: *s.Kept,
		StartedAt: s.Started, FinishedAt: s.Finished,
	}
	if s.Zone == wanted {
		c.Since = s.Since
	}
	switch {
	case s.Finished != nil:
		c.State = project.ZoneDone
	case s.Failure != nil:
		c.State, c.Failure = project.ZoneFailing, *s.Failure
	}
	return c
}
