package postgres

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

const day = 24 * time.Hour

// withPartitions runs write. Partitions are made ahead for the days around today; when a row of another day finds
// none, they are made for all days of times and write runs again. Nothing of the first run remains: the missing
// partition is an error that ends its transaction.
func (s *Store) withPartitions(ctx context.Context, times iter.Seq[time.Time], write func() error) error {
	err := write()
	if !partitionMissing(err) {
		return err
	}
	days := map[time.Time]bool{}
	for ts := range times {
		days[ts.UTC().Truncate(day)] = true
	}
	for _, d := range slices.SortedFunc(maps.Keys(days), time.Time.Compare) {
		if _, err := s.pool.Exec(ctx, `SELECT ingest.ensure_partitions($1::date, $1::date)`, d); err != nil {
			return fmt.Errorf("make the partition of %s: %w", d.Format(time.DateOnly), err)
		}
	}
	return write()
}

// partitionMissing reports whether err is "no partition of relation found for row". It shares its code with violated
// check constraints, but those have a name.
func partitionMissing(err error) bool {
	constraint, ok := postgres.IsCode(err, postgres.CheckViolation)
	return ok && constraint == ""
}
