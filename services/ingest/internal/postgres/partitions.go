package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const day = 24 * time.Hour

// maxMakes bounds how often partitions are made for one write. Once is enough unless they are dropped in between.
const maxMakes = 3

// projectDay is a UTC day of a project.
type projectDay struct {
	project int16
	day     time.Time
}

// withPartitions runs write. Partitions are made ahead for the weeks around today; when a row of another week finds
// none, they are made for all days of the flush and write runs again. Nothing of the first run remains: the refused
// row is an error that ends its transaction. Days that take no rows of their project are a closedDaysError.
func (s *Store) withPartitions(ctx context.Context, f *flush, write func() error) error {
	for range maxMakes {
		err := write()
		if !refusedByDay(err) {
			return err
		}
		closed, err := s.openDays(ctx, f.days())
		if err != nil {
			return err
		}
		if len(closed) > 0 {
			return closed
		}
	}
	return write()
}

// PrepareDays implements event.Days. It makes the partitions that are missing.
func (s *Store) PrepareDays(ctx context.Context, project int16, times []time.Time) ([]error, error) {
	const query = `SELECT day FROM unnest($1::date[]) AS day WHERE to_regclass('ingest.' || ingest.partition_of(day)) IS NULL ORDER BY day`
	all := map[time.Time]bool{}
	for _, ts := range times {
		all[dayOf(ts)] = true
	}
	rows, _ := s.pool.Query(ctx, query, slices.SortedFunc(maps.Keys(all), time.Time.Compare)) // CollectRows returns its error
	missing, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	days, rest := firstWeeks(missing, event.MaxNewWeeks)
	var closed closedDaysError
	if err == nil {
		closed, err = s.openDays(ctx, ofProject(project, days))
	}
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("prepare days: %w", err))
	}
	if len(rest) > 0 {
		return nil, event.ErrPreparing
	}
	reasons := make([]error, len(times))
	for i, ts := range times {
		reasons[i] = closed[projectDay{project, dayOf(ts)}]
	}
	return reasons, nil
}

// firstWeeks divides ascending days after those of the first n weeks.
func firstWeeks(days []time.Time, n int) (first, rest []time.Time) {
	weeks := 0
	var end time.Time
	for i, d := range days {
		if !d.Before(end) {
			if weeks++; weeks > n {
				return days[:i], days[i:]
			}
			end = weekOf(d).AddDate(0, 0, 7)
		}
	}
	return days, nil
}

func ofProject(project int16, days []time.Time) []projectDay {
	all := make([]projectDay, len(days))
	for i, d := range days {
		all[i] = projectDay{project, dayOf(d)}
	}
	return all
}

// openDays makes the partitions of days and returns those days that take no rows.
func (s *Store) openDays(ctx context.Context, days []projectDay) (closedDaysError, error) {
	closed := closedDaysError{}
	for _, d := range days {
		var state string
		err := s.pool.QueryRow(ctx, `SELECT ingest.open_day($1, $2, $3)`, d.project, d.day, event.MaxOpenWeeks).Scan(&state)
		if err != nil {
			return nil, fmt.Errorf("open the day %s of project %d: %w", d.day.Format(time.DateOnly), d.project, err)
		}
		switch state {
		case "dropped":
			closed[d] = event.ErrDayDropped
			s.dropped.add(d)
		case "too many":
			closed[d] = event.ErrTooManyWeeks
		}
	}
	return closed, nil
}

func dayOf(ts time.Time) time.Time { return ts.UTC().Truncate(day) }

// weekOf returns the Monday of the week of ts: the zero time is one.
func weekOf(ts time.Time) time.Time { return ts.UTC().Truncate(7 * day) }

// closedDaysError are days that take no rows of a project, each with the reason.
type closedDaysError map[projectDay]error

// Error implements error.
func (c closedDaysError) Error() string { return fmt.Sprintf("%d days take no rows", len(c)) }

// blocked returns the events of these days. It is nil if there are none.
func (c closedDaysError) blocked(events []event.Event) event.BlockedError {
	var blocked event.BlockedError
	for i := range events {
		reason := c[projectDay{events[i].Project, dayOf(events[i].TS)}]
		if reason == nil {
			continue
		}
		if blocked == nil {
			blocked = event.BlockedError{}
		}
		blocked[i] = reason
	}
	return blocked
}

// droppedDays remembers the days that flushes have found to be dropped, so that later ones need not fail. A dropped day never
// comes back to its project. It is safe for concurrent use.
type droppedDays struct {
	mu   sync.Mutex // of writers
	days atomic.Pointer[closedDaysError]
}

// known returns the days. The caller must not change them.
func (d *droppedDays) known() closedDaysError {
	if days := d.days.Load(); days != nil {
		return *days
	}
	return nil
}

func (d *droppedDays) add(more projectDay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := closedDaysError{more: event.ErrDayDropped}
	maps.Copy(all, d.known())
	d.days.Store(&all)
}

// droppedDaysCheck is the constraint of a partition that was made again after it was dropped: it takes no rows of the days of which a
// project had some.
const droppedDaysCheck = "dropped_days"

// refusedByDay reports whether err is "no partition of relation found for row" or a violation of droppedDaysCheck. The former
// shares its code with violated check constraints, but those have a name.
func refusedByDay(err error) bool {
	constraint, ok := postgres.IsCode(err, postgres.CheckViolation)
	return ok && (constraint == "" || constraint == droppedDaysCheck)
}
