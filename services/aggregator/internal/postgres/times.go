package postgres

import (
	"context"
	"fmt"
	"time"
)

// timesChunk bounds the rows of ingest.event_times that one transaction deletes.
const timesChunk = 10_000

// deleteTimes deletes the rows of ingest.event_times before a day whose weeks have no partition any more.
func (s Store) deleteTimes(ctx context.Context, before time.Time) error {
	const first = `
		SELECT week, EXISTS (SELECT FROM ingest.partitions AS p WHERE p.week = first.week)
		FROM (SELECT ingest.week((min(ts) AT TIME ZONE 'UTC')::date) AS week FROM ingest.event_times WHERE ts >= $1 AND ts < $2) AS first`
	for from := (time.Time{}); ; {
		var week *time.Time
		var kept bool
		if err := s.Pool.QueryRow(ctx, first, from, before).Scan(&week, &kept); err != nil {
			return fmt.Errorf("look for times of dropped weeks: %w", err)
		}
		if week == nil {
			return nil
		}
		end := week.AddDate(0, 0, 7)
		if end.After(before) {
			end = before
		}
		if kept {
			from = end
			continue
		}
		var err error
		if from, err = s.deleteTimesUntil(ctx, from, end); err != nil {
			return fmt.Errorf("delete times of the dropped week of %s: %w", week.Format(time.DateOnly), err)
		}
	}
}

// deleteTimesUntil deletes a chunk of the rows of a range, the earliest first, and returns from when on there may be more. The next
// chunk begins where this one ends, so it does not read the deleted entries of the index again.
func (s Store) deleteTimesUntil(ctx context.Context, from, end time.Time) (time.Time, error) {
	const chunk = `
		WITH gone AS (
			DELETE FROM ingest.event_times
			WHERE ctid = ANY (ARRAY(SELECT ctid FROM ingest.event_times WHERE ts >= $1 AND ts < $2 ORDER BY ts LIMIT $3))
			RETURNING ts
		)
		SELECT count(*), max(ts) FROM gone`
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
