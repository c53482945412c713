package postgres

import (
	"context"
	"fmt"
	"iter"
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

// withPartitions runs write. Partitions are made ahead for the days around today; when a row of another day finds
// none, they are made for all days of times and write runs again. Nothing of the first run remains: the missing
// partition is an error that ends its transaction. Days that were dropped get no partition: they are a droppedDaysError.
func (s *Store) withPartitions(ctx context.Context, times iter.Seq[time.Time], write func() error) error {
	for range maxMakes {
		err := write()
		if !partitionMissing(err) {
			return err
		}
		if err := s.makePartitions(ctx, times); err != nil {
			return err
		}
	}
	return write()
}

// PrepareDays implements event.Days. It makes the partitions that are missing.
func (s *Store) PrepareDays(ctx context.Context, times []time.Time) error {
	const query = `
		SELECT day FROM unnest($1::date[]) AS day
		WHERE to_regclass('ingest.events_p' || to_char(day, 'YYYYMMDD')) IS NULL AND day NOT IN (SELECT day FROM ingest.dropped_days)`
	rows, _ := s.pool.Query(ctx, query, daysOf(slices.Values(times))) // CollectRows returns its error
	missing, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err == nil {
		err = s.ensurePartitions(ctx, missing)
	}
	if err != nil {
		return postgres.Classify(fmt.Errorf("prepare days: %w", err))
	}
	return nil
}

// daysOf returns the days of some times, in order.
func daysOf(times iter.Seq[time.Time]) []time.Time {
	days := map[time.Time]bool{}
	for ts := range times {
		days[dayOf(ts)] = true
	}
	return slices.SortedFunc(maps.Keys(days), time.Time.Compare)
}

func (s *Store) ensurePartitions(ctx context.Context, days []time.Time) error {
	for _, d := range days {
		if _, err := s.pool.Exec(ctx, `SELECT ingest.ensure_partitions($1::date, $1::date)`, d); err != nil {
			return fmt.Errorf("make the partition of %s: %w", d.Format(time.DateOnly), err)
		}
	}
	return nil
}

func (s *Store) makePartitions(ctx context.Context, times iter.Seq[time.Time]) error {
	wanted := daysOf(times)
	if err := s.ensurePartitions(ctx, wanted); err != nil {
		return err
	}
	// Not in the statement above, whose snapshot may be older than a drop that it waits for.
	rows, _ := s.pool.Query(ctx, `SELECT day FROM ingest.dropped_days WHERE day = ANY ($1::date[])`, wanted) // CollectRows returns its error
	gone, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return fmt.Errorf("look for dropped days: %w", err)
	}
	if len(gone) == 0 {
		return nil
	}
	dropped := droppedDaysError{}
	for _, d := range gone {
		dropped[dayOf(d)] = true
	}
	s.dropped.add(dropped)
	return dropped
}

func dayOf(ts time.Time) time.Time { return ts.UTC().Truncate(day) }

// droppedDaysError are days that take no rows any more.
type droppedDaysError map[time.Time]bool

// Error implements error.
func (d droppedDaysError) Error() string { return fmt.Sprintf("%d days were dropped", len(d)) }

// blocked returns the events of these days. It is nil if there are none.
func (d droppedDaysError) blocked(events []event.Event) event.BlockedError {
	var blocked event.BlockedError
	for i := range events {
		if !d[dayOf(events[i].TS)] {
			continue
		}
		if blocked == nil {
			blocked = event.BlockedError{}
		}
		blocked[i] = event.ErrDayDropped
	}
	return blocked
}

// droppedDays remembers the days that flushes have found to be dropped, so that later ones need not fail. A dropped day never
// comes back. It is safe for concurrent use.
type droppedDays struct {
	mu   sync.Mutex // of writers
	days atomic.Pointer[droppedDaysError]
}

// known returns the days. The caller must not change them.
func (d *droppedDays) known() droppedDaysError {
	if days := d.days.Load(); days != nil {
		return *days
	}
	return nil
}

func (d *droppedDays) add(more droppedDaysError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(more)
	maps.Copy(all, d.known())
	d.days.Store(&all)
}

// partitionMissing reports whether err is "no partition of relation found for row". It shares its code with violated
// check constraints, but those have a name.
func partitionMissing(err error) bool {
	constraint, ok := postgres.IsCode(err, postgres.CheckViolation)
	return ok && constraint == ""
}
