package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

var _ event.Clamps = (*Store)(nil)

// clampedBefore is a part of a statement that finds those of the rows sent that were clamped when they were received before. It
// costs one look at an index for each project of a flush, unless some clamped ts are within the times of the flush. Rows have
// the columns project, ts and id in the arrays of three parameters; spans (project, first_ts, last_ts) are those of the batches.
func clampedBefore(spans, projects, times, ids string) string {
	return `
	SELECT c.project, c.ts_sent, c.id, c.ts
	FROM ` + spans + ` AS span (project, first_ts, last_ts)
	CROSS JOIN LATERAL (
		SELECT project, ts_sent, id, ts
		FROM ingest.clamped_events AS c
		WHERE c.project = span.project AND c.ts_sent BETWEEN span.first_ts AND span.last_ts
	) AS c
	WHERE (c.project, c.ts_sent, c.id) IN (
		SELECT project, ts, id
		FROM unnest(` + projects + `::smallint[], ` + times + `::timestamptz[], ` + ids + `::uuid[]) AS sent (project, ts, id))`
}

// Clamp implements event.Clamps. Rows are inserted in the order of their keys, so two of these statements cannot deadlock. An
// event that is stored with its own ts was not too far ahead when it was first received, as far as its sender's clock told: it
// keeps this ts.
func (s *Store) Clamp(ctx context.Context, clamps []event.Clamp) ([]event.Clamp, error) {
	const insert = `
		INSERT INTO ingest.clamped_events (project, ts_sent, id, ts)
		SELECT project, ts_sent, id, ts
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::timestamptz[]) AS sent (project, ts_sent, id, ts)
		WHERE coalesce((
			SELECT false FROM ingest.events AS e WHERE e.project = sent.project AND e.ts = sent.ts_sent AND e.id = sent.id LIMIT 1), true)
		ON CONFLICT DO NOTHING`
	// Not in the statement above, whose snapshot may be older than a row that it waited for.
	const query = `
		SELECT sent.n - 1, known.ts
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) WITH ORDINALITY AS sent (project, ts_sent, id, n)
		CROSS JOIN LATERAL (
			SELECT c.ts
			FROM ingest.clamped_events AS c
			WHERE c.project = sent.project AND c.ts_sent = sent.ts_sent AND c.id = sent.id
			LIMIT 1
		) AS known`
	ordered := slices.Clone(clamps)
	slices.SortFunc(ordered, func(a, b event.Clamp) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), a.Sent.Compare(b.Sent), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if _, err := s.pool.Exec(ctx, insert, clampColumns(ordered, true)...); err != nil {
		return nil, postgres.Classify(fmt.Errorf("clamp %d events: %w", len(clamps), err))
	}
	first := slices.Clone(clamps)
	for i := range first {
		first[i].TS = first[i].Sent // unless it is found below
	}
	rows, _ := s.pool.Query(ctx, query, clampColumns(clamps, false)...) // ForEachRow returns its error
	var i int
	var ts time.Time
	_, err := pgx.ForEachRow(rows, []any{&i, &ts}, func() error {
		first[i].TS = ts.UTC()
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up %d clamped events: %w", len(clamps), err))
	}
	return first, nil
}

// clampColumns are clamps as arrays, with the times at which they are counted or without.
func clampColumns(clamps []event.Clamp, counted bool) []any {
	projects, sent, ids, times := make([]int16, len(clamps)), make([]time.Time, len(clamps)), make([]uuid.UUID, len(clamps)), make([]time.Time, len(clamps))
	for i, c := range clamps {
		projects[i], sent[i], ids[i], times[i] = c.Project, c.Sent, c.ID, c.TS
	}
	if !counted {
		return []any{projects, sent, ids}
	}
	return []any{projects, sent, ids, times}
}

// clampedColumns are rows of ingest.clamped_events, as a statement returns them.
type clampedColumns struct {
	project  []int16
	sent, ts []time.Time
	id       []uuid.UUID
}

func (c *clampedColumns) rows() []clampedRow {
	rows := make([]clampedRow, len(c.project))
	for i := range rows {
		rows[i] = clampedRow{identity{c.project[i], c.sent[i].UnixMicro(), c.id[i]}, c.ts[i].UTC()}
	}
	return rows
}
