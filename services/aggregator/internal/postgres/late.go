package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// lateBytes bounds the memory of the deltas of late batches.
const lateBytes = 64 << 20

// Late reads in tx the rows of the scope whose batches were folded after the snapshot, passes them to add in parts, and
// returns their number. While tx keeps folds out, these rows and those of Count are exactly what the rollups must contain.
func (s *Snapshot) Late(ctx context.Context, tx pgx.Tx, add func(*rollup.Deltas) error) (total int64, err error) {
	late, err := s.lateBatches(ctx, tx)
	if err != nil {
		return 0, err
	}
	parts := rollup.NewParts(lateBytes, func(d *rollup.Deltas, _ bool) error { return add(d) })
	for _, raw := range rawTables {
		n, err := s.addLate(ctx, tx, raw, late, parts)
		if err != nil {
			return 0, fmt.Errorf("read late %s: %w", raw.kind, err)
		}
		total += n
	}
	return total, parts.Flush()
}

// addLate adds the rows of late batches of a kind. There is no index of rows by batch: the times of the batches, which are
// usually the last minutes, narrow down what is read.
func (s *Snapshot) addLate(ctx context.Context, tx pgx.Tx, raw rawTable, late []batch, parts *rollup.Parts) (int64, error) {
	var ids []int64
	from, to := s.scope.to, s.scope.from
	for _, b := range late {
		if b.kind != raw.kind || b.minTS == nil || b.maxTS == nil {
			continue
		}
		ids = append(ids, b.id)
		if b.minTS.Before(from) {
			from = *b.minTS
		}
		if b.maxTS.After(to) {
			to = b.maxTS.Add(time.Microsecond) // times are stored in microseconds
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	if from.Before(s.scope.from) {
		from = s.scope.from
	}
	if to.After(s.scope.to) {
		to = s.scope.to
	}
	clock := rollup.NewClock(s.scope.Project.Zones)
	var row rawRow
	return fetchAll(ctx, tx, "late_"+raw.kind, raw.query+`batch = ANY($4)`, []any{s.scope.Project.ID, from, to, ids}, parts, raw.fields(&row), func() error {
		raw.add(parts.Deltas, s.scope.Project.ID, clock, &row)
		return nil
	})
}

// The sizes of a fetch. There are few, because each is a prepared statement.
var fetchSizes = [...]int{10_000, 1000, 100, 10, 1}

// fetchAll calls row for each row of a query and returns their number. A cursor lets parts be stored in the same transaction in
// between.
func fetchAll(
	ctx context.Context, tx pgx.Tx, cursor, query string, args []any, parts *rollup.Parts, fields []any, row func() error,
) (total int64, err error) {
	if _, err := tx.Exec(ctx, `DECLARE `+cursor+` NO SCROLL CURSOR FOR `+query, args...); err != nil {
		return 0, err
	}
	for {
		room, err := parts.Next()
		if err != nil {
			return 0, err
		}
		size := fetchSizes[slices.IndexFunc(fetchSizes[:], func(size int) bool { return size <= room })]
		rows, err := tx.Query(ctx, `FETCH `+strconv.Itoa(size)+` FROM `+cursor)
		if err != nil {
			return 0, err
		}
		tag, err := pgx.ForEachRow(rows, fields, row)
		if err != nil {
			return 0, err
		}
		total += tag.RowsAffected()
		if tag.RowsAffected() < int64(size) {
			break
		}
	}
	_, err = tx.Exec(ctx, `CLOSE `+cursor)
	return total, err
}

// lateBatches returns the batches with rows of the scope that are folded now and were not folded in the snapshot.
func (s *Snapshot) lateBatches(ctx context.Context, tx pgx.Tx) ([]batch, error) {
	// First, the batches that were pending in the snapshot and are not any more. Their receipts may be pruned by now.
	const still = `SELECT id FROM ingest.batches WHERE project = $1 AND id = ANY($2) AND aggregated_at IS NULL`
	stillPending, err := s.idsWhere(ctx, tx, still, s.pending)
	if err != nil {
		return nil, fmt.Errorf("list batches that are still pending: %w", err)
	}
	var late []batch
	for _, b := range s.pending {
		if !stillPending[b.id] {
			late = append(late, b)
		}
	}
	// Second, the batches that the snapshot does not see at all. A fold updates the receipts of its batches, so the xmin of a
	// receipt is the id of the fold's transaction: a fold after the snapshot has an id of at least the snapshot's xmin. So have
	// some folds before it. The snapshot itself tells these apart, because it sees their batches.
	const marked = `
		SELECT ` + batchColumnsAlone + `
		FROM ingest.batches
		WHERE project = $1 AND aggregated_at IS NOT NULL AND min_ts < $3 AND max_ts >= $2
		  AND received_at >= $4 AND age(xmin) <= age(($5::xid8)::xid)`
	candidates, err := collectBatches(ctx, tx, marked, s.scope.Project.ID, s.scope.from, s.scope.to, s.since, s.xmin)
	if err != nil {
		return nil, fmt.Errorf("list batches folded since: %w", err)
	}
	seen, err := s.idsWhere(ctx, s.tx, `SELECT id FROM ingest.batches WHERE project = $1 AND id = ANY($2)`, candidates)
	if err != nil {
		return nil, fmt.Errorf("list batches that the snapshot sees: %w", err)
	}
	for _, b := range candidates {
		if !seen[b.id] {
			late = append(late, b)
		}
	}
	return late, nil
}

// idsWhere returns those of some batches that a query finds.
func (s *Snapshot) idsWhere(ctx context.Context, tx pgx.Tx, query string, among []batch) (map[int64]bool, error) {
	found := map[int64]bool{}
	if len(among) == 0 {
		return found, nil
	}
	_, ids := keysOf(among)
	rows, err := tx.Query(ctx, query, s.scope.Project.ID, ids)
	if err != nil {
		return nil, err
	}
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		found[id] = true
		return nil
	})
	return found, err
}
