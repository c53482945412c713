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

var _ event.Times = (*Store)(nil)

// movedWithin is a condition on a row of the columns project, first and last: some event is counted at another time than its ts,
// which is between first and last. LIMIT makes it one look-up by key.
func movedWithin(row, first, last string) string {
	return `EXISTS (
		SELECT FROM ingest.event_times AS t
		WHERE t.project = ` + row + `.project AND t.ts_sent BETWEEN ` + row + `.` + first + ` AND ` + row + `.` + last + ` AND t.ts <> t.ts_sent
		LIMIT 1)`
}

// movedBefore is a part of a statement that finds those of the rows sent that were received before and are counted at another time
// than their ts. It costs one look-up by key for each batch and, only if a batch has such a ts within its times, one for each
// row. Rows have the columns project, ts and id in the arrays of three parameters; batches are (project, first_ts, last_ts).
func movedBefore(batches, projects, times, ids string) string {
	return `
	SELECT t.project, t.ts_sent, t.id, t.ts
	FROM unnest(` + projects + `::smallint[], ` + times + `::timestamptz[], ` + ids + `::uuid[]) AS sent (project, ts, id)
	CROSS JOIN LATERAL (
		SELECT project, ts_sent, id, ts
		FROM ingest.event_times AS t
		WHERE t.project = sent.project AND t.ts_sent = sent.ts AND t.id = sent.id AND t.ts <> t.ts_sent
		LIMIT 1
	) AS t
	WHERE EXISTS (SELECT FROM ` + batches + ` AS batch (project, first_ts, last_ts) WHERE ` + movedWithin("batch", "first_ts", "last_ts") + `)`
}

// FirstTimes implements event.Times. Rows are inserted in the order of their keys, so two of these statements cannot deadlock. An
// event that is stored with its own ts keeps it.
func (s *Store) FirstTimes(ctx context.Context, receipts []event.Receipt) ([]time.Time, error) {
	const insert = `
		INSERT INTO ingest.event_times (project, ts_sent, id, ts)
		SELECT project, coalesce(ts_sent, '-infinity'), id, ts
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::timestamptz[]) AS sent (project, ts_sent, id, ts)
		WHERE coalesce((
			SELECT false FROM ingest.events AS e WHERE e.project = sent.project AND e.ts = sent.ts_sent AND e.id = sent.id LIMIT 1), true)
		ON CONFLICT DO NOTHING`
	// Not in the statement above, whose snapshot may be older than a row that it waited for.
	const query = `
		SELECT sent.n - 1, known.ts
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) WITH ORDINALITY AS sent (project, ts_sent, id, n)
		CROSS JOIN LATERAL (
			SELECT t.ts
			FROM ingest.event_times AS t
			WHERE t.project = sent.project AND t.ts_sent = coalesce(sent.ts_sent, '-infinity') AND t.id = sent.id
			LIMIT 1
		) AS known`
	ordered := slices.Clone(receipts)
	slices.SortFunc(ordered, func(a, b event.Receipt) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), a.Sent.Compare(b.Sent), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if err := s.repeatedExec(ctx, insert, receiptColumns(ordered, true)...); err != nil {
		return nil, postgres.Classify(fmt.Errorf("record the first receipt of %d events: %w", len(receipts), err))
	}
	first := make([]time.Time, len(receipts))
	for i, r := range receipts {
		first[i] = r.Sent // unless it is found below
	}
	rows, _ := s.pool.Query(ctx, query, receiptColumns(receipts, false)...) // ForEachRow returns its error
	var i int
	var ts time.Time
	_, err := pgx.ForEachRow(rows, []any{&i, &ts}, func() error {
		first[i] = ts.UTC()
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up the first receipt of %d events: %w", len(receipts), err))
	}
	return first, nil
}

// receiptColumns are receipts as arrays, with the times at which they are counted or without.
func receiptColumns(receipts []event.Receipt, counted bool) []any {
	n := len(receipts)
	projects, sent, ids, times := make([]int16, n), make([]*time.Time, n), make([]uuid.UUID, n), make([]time.Time, n)
	for i, r := range receipts {
		projects[i], ids[i], times[i] = r.Project, r.ID, r.TS
		if !r.Sent.IsZero() {
			sent[i] = &receipts[i].Sent
		}
	}
	if !counted {
		return []any{projects, sent, ids}
	}
	return []any{projects, sent, ids, times}
}

// movedColumns are rows of ingest.event_times, as a statement returns them.
type movedColumns struct {
	project  []int16
	sent, ts []time.Time
	id       []uuid.UUID
}

func (c *movedColumns) rows() []movedRow {
	rows := make([]movedRow, len(c.project))
	for i := range rows {
		rows[i] = movedRow{identity{c.project[i], c.sent[i].UnixMicro(), c.id[i]}, c.ts[i].UTC()}
	}
	return rows
}
