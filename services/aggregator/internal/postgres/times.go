package postgres

import (
	"context"
	"fmt"
	"time"
)

// timesChunk bounds the rows of ingest.event_times that one transaction deletes.
const timesChunk = 10_000

// deleteTimes deletes the rows of ingest.event_times of the days before a day that have no partition any more.
func (s Store) deleteTimes(ctx context.Context, before time.Time) error {
	const first = `
		SELECT day, EXISTS (SELECT FROM ingest.partitions AS p WHERE p.day = first.day)
		FROM (SELECT (min(ts) AT TIME ZONE 'UTC')::date AS day FROM ingest.event_times WHERE ts >= $1 AND ts < $2) AS first`
	for from := (time.Time{}); ; {
		var day *time.Time
		var kept bool
		if err := s.Pool.QueryRow(ctx, first, from, before).Scan(&day, &kept); err != nil {
			return fmt.Errorf("look for times of dropped days: %w", err)
		}
		if day == nil {
			return nil
		}
		if kept {
			from = day.AddDate(0, 0, 1)
			continue
		}
		var err error
		if from, err = s.deleteTimesOfDay(ctx, *day, from); err != nil {
			return fmt.Errorf("delete times of the dropped day %s: %w", day.Format(time.DateOnly), err)
		}
	}
}

// deleteTimesOfDay deletes a chunk of the rows of a day, the earliest first, and returns from when on there may be more. There are
// none between from and the day. The next chunk begins where this one ends, so it does not read the deleted entries of the index again.
func (s Store) deleteTimesOfDay(ctx context.Context, day, from time.Time) (time.Time, error) {
	const chunk = `
		WITH gone AS (
			DELETE FROM ingest.event_times
			WHERE ctid = ANY (ARRAY(SELECT ctid FROM ingest.event_times WHERE ts >= $1 AND ts < $2 ORDER BY ts LIMIT $3))
			RETURNING ts
		)
		SELECT count(*), max(ts) FROM gone`
	end := day.AddDate(0, 0, 1)
	var n int
	var last *time.Time
	if err := s.Pool.QueryRow(ctx, chunk, from, end, timesChunk).Scan(&n, &last); err != nil {
		return time.Time{}, err
	}
	if n < timesChunk {
		return end, nil
	}
	return *last, nil
}
