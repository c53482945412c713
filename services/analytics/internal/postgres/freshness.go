package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

const (
	// manyBatches is the number of pending batches from which on the backlog is cached.
	manyBatches = 10_000
	// backlogTTL is how long a cached backlog is used.
	backlogTTL = 500 * time.Millisecond
)

// backlog caches what is pending while many batches are, because summing them up for every answer would cost more than the
// answer itself.
type backlog struct {
	mu       sync.Mutex
	projects map[int16]pending
	others   pending   // of projects of which nothing is pending
	until    time.Time // when to read again
}

// pending is what is not in the numbers of a project.
type pending struct {
	completeUntil time.Time
	rows, failed  int64
}

// recent returns the cached backlog of a project unless it has expired. Its completeUntil also holds for numbers that are read
// later, because rows that were counted stay counted.
func (b *backlog) recent(project int16) (pending, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !time.Now().Before(b.until) {
		return pending{}, false
	}
	if p, ok := b.projects[project]; ok {
		return p, true
	}
	return b.others, true
}

func (b *backlog) keep(projects map[int16]pending, others pending, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.projects, b.others, b.until = projects, others, until
}

// readMeta returns the freshness of a snapshot for a project. It must run the first query of tx, after watermark was read: then
// every batch received before the watermark is visible to the snapshot, so its rows are in the numbers or it is pending.
func (s *Store) readMeta(ctx context.Context, tx pgx.Tx, project int16, watermark time.Time) (m report.Meta, err error) {
	p, ok := s.backlog.recent(project)
	if ok {
		err = tx.QueryRow(ctx, `SELECT transaction_timestamp()`).Scan(&m.AsOf)
	} else {
		begin := time.Now()
		var batches int64
		err = tx.QueryRow(ctx, pendingQuery, watermark, project).Scan(&m.AsOf, &p.completeUntil, &p.rows, &batches, &p.failed)
		if err == nil && batches >= manyBatches {
			err = s.keepBacklog(ctx, tx, watermark, begin.Add(backlogTTL))
		}
	}
	if err != nil {
		return report.Meta{}, fmt.Errorf("freshness: %w", err)
	}
	m.AsOf, m.CompleteUntil = m.AsOf.UTC(), p.completeUntil.UTC()
	m.PendingEvents, m.FailedEvents = p.rows, p.failed
	return m, nil
}

// pendingQuery reads only the partial indexes of pending and failed batches, so the number of folded ones does not matter. The
// backlog of one project does not hold back complete_until of another. No WHERE has the project, or Postgres could read the
// primary key instead, with all batches that the project ever had.
// Failed batches do not hold it back either: a single damaged batch would make all later numbers look incomplete until somebody
// repairs it. They are counted beside it instead.
const pendingQuery = `
	SELECT transaction_timestamp(),
	       least(min(received_at) FILTER (WHERE project = $2), $1),
	       coalesce(sum(rows) FILTER (WHERE project = $2), 0)::bigint,
	       count(*),
	       (SELECT coalesce(sum(rows) FILTER (WHERE project = $2), 0)::bigint
	        FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NOT NULL)
	FROM ingest.batches
	WHERE aggregated_at IS NULL AND failed_at IS NULL`

// backlogQuery reads what pendingQuery does, of all projects.
const backlogQuery = `
	SELECT project, min(received_at) FILTER (WHERE NOT failed),
	       coalesce(sum(rows) FILTER (WHERE NOT failed), 0)::bigint, coalesce(sum(rows) FILTER (WHERE failed), 0)::bigint
	FROM ingest.unfolded_batches
	GROUP BY project`

// keepBacklog reads the backlogs of all projects into the cache.
func (s *Store) keepBacklog(ctx context.Context, tx pgx.Tx, watermark, until time.Time) error {
	rows, err := tx.Query(ctx, backlogQuery)
	if err != nil {
		return err
	}
	projects := map[int16]pending{}
	var project int16
	var oldest *time.Time
	var p pending
	_, err = pgx.ForEachRow(rows, []any{&project, &oldest, &p.rows, &p.failed}, func() error {
		p.completeUntil = watermark
		if oldest != nil && oldest.Before(watermark) {
			p.completeUntil = *oldest
		}
		projects[project] = p
		return nil
	})
	if err == nil {
		s.backlog.keep(projects, pending{completeUntil: watermark}, until)
	}
	return err
}
