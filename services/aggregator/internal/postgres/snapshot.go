package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Snapshot is one transaction's view of the raw rows of a day. It tells batches that were folded when it was taken from
// batches that were folded later.
type Snapshot struct {
	tx       pgx.Tx
	from, to time.Time
	since    time.Time // batches received before this are visible to the snapshot
	xmin     string    // all transactions with a lower id had ended
	pending  []batch   // pending and failed batches with rows of the day
}

// slowestWrite bounds the time from received_at of a batch to the commit of its transaction, stalled processes included. A
// batch that was received longer before a snapshot counts as visible to it, so one that took longer to commit would be
// missed.
const slowestWrite = 24 * time.Hour

// TakeSnapshot makes tx a snapshot of a day. tx must be repeatable read and must not have run a query yet. No partition can
// be dropped until tx ends. ok is false when the day has no partitions, so there is nothing to count.
func TakeSnapshot(ctx context.Context, tx pgx.Tx, day time.Time) (s *Snapshot, ok bool, err error) {
	// LOCK TABLE takes no snapshot. The next statement does, and every partition that it sees is already locked against a drop.
	if _, err := tx.Exec(ctx, `LOCK TABLE ingest.events, ingest.purchases IN ACCESS SHARE MODE`); err != nil {
		return nil, false, fmt.Errorf("keep partitions: %w", err)
	}
	s = &Snapshot{tx: tx, from: day, to: day.AddDate(0, 0, 1)}
	const moment = `
		SELECT now() - $1::interval, pg_snapshot_xmin(pg_current_snapshot())::text,
		       to_regclass('ingest.events_p' || $2) IS NOT NULL AND to_regclass('ingest.purchases_p' || $2) IS NOT NULL`
	if err := tx.QueryRow(ctx, moment, slowestWrite, day.Format("20060102")).Scan(&s.since, &s.xmin, &ok); err != nil {
		return nil, false, fmt.Errorf("take a snapshot: %w", err)
	}
	const pending = `
		SELECT id, kind, rows, min_ts, max_ts
		FROM ingest.unfolded_batches
		WHERE min_ts < $2 AND max_ts >= $1`
	s.pending, err = collectBatches(ctx, tx, pending, s.from, s.to)
	if err != nil {
		return nil, false, fmt.Errorf("list pending batches: %w", err)
	}
	return s, ok, nil
}

func collectBatches(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]batch, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b batch, err error) {
		err = row.Scan(&b.id, &b.kind, &b.rows, &b.minTS, &b.maxTS)
		return b, err
	})
}

// notPending leaves out the rows of pending and failed batches. A batch without a receipt was folded: only receipts of folded batches
// are pruned.
const notPending = `NOT EXISTS (SELECT FROM ingest.unfolded_batches b WHERE b.id = raw.batch_id)`

// Count counts the rows of the day whose batches were folded, and returns their number. It passes the deltas to flush
// whenever they have grown to budget bytes, and at the end.
func (s *Snapshot) Count(ctx context.Context, budget int, flush func(*rollup.Deltas) error) (int64, error) {
	const events = `SELECT product_id, user_id, type FROM ingest.events raw WHERE ts >= $1 AND ts < $2 AND ` + notPending
	const purchases = `SELECT product_id, user_id, quantity, amount_minor FROM ingest.purchases raw WHERE ts >= $1 AND ts < $2 AND ` + notPending
	day := rollup.DayOf(s.from)
	deltas := rollup.New()
	flushFull := func() error {
		if deltas.Bytes() < budget {
			return nil
		}
		full := deltas
		deltas = rollup.New()
		return flush(full)
	}
	e, p := rollup.Event{Day: day}, rollup.Purchase{Day: day}
	counted, err := s.each(ctx, events, []any{&e.ProductID, &e.UserID, &e.Type}, func() error {
		deltas.AddEvent(e)
		return flushFull()
	})
	if err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	bought, err := s.each(ctx, purchases, []any{&p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor}, func() error {
		deltas.AddPurchase(p)
		return flushFull()
	})
	if err != nil {
		return 0, fmt.Errorf("count purchases: %w", err)
	}
	return counted + bought, flush(deltas)
}

func (s *Snapshot) each(ctx context.Context, query string, fields []any, fn func() error) (int64, error) {
	rows, err := s.tx.Query(ctx, query, s.from, s.to)
	if err != nil {
		return 0, err
	}
	tag, err := pgx.ForEachRow(rows, fields, fn)
	return tag.RowsAffected(), err
}

// lateBytes bounds the memory of the deltas of late batches.
const lateBytes = 64 << 20

// Late reads in tx the rows of the day whose batches were folded after the snapshot, passes them to add in parts, and
// returns their number. While tx keeps folds out, these rows and those of Count are exactly what the rollups must contain.
func (s *Snapshot) Late(ctx context.Context, tx pgx.Tx, add func(*rollup.Deltas) error) (int64, error) {
	late, err := s.lateBatches(ctx, tx)
	if err != nil || len(late) == 0 {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // for the reason in read
		return 0, fmt.Errorf("read late rows: %w", err)
	}
	var events, purchases selection
	for _, b := range late {
		if b.kind == protocol.KindPurchases {
			purchases.add(b)
		} else {
			events.add(b)
		}
	}
	parts := rollup.NewParts(lateBytes, add)
	counted, err := readEvents(ctx, tx, events.within(s.from, s.to), parts)
	if err != nil {
		return 0, err
	}
	bought, err := readPurchases(ctx, tx, purchases.within(s.from, s.to), parts)
	if err != nil {
		return 0, err
	}
	if err := parts.Flush(); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = on`); err != nil {
		return 0, fmt.Errorf("read late rows: %w", err)
	}
	return counted + bought, nil
}

// lateBatches returns the batches with rows of the day that are folded now and were not folded in the snapshot.
func (s *Snapshot) lateBatches(ctx context.Context, tx pgx.Tx) ([]batch, error) {
	// First, the batches that were pending in the snapshot and are not any more. Their receipts may be pruned by now.
	const still = `SELECT id FROM ingest.batches WHERE id = ANY($1) AND aggregated_at IS NULL`
	stillPending, err := idsWhere(ctx, tx, still, ids(s.pending))
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
		SELECT id, kind, rows, min_ts, max_ts
		FROM ingest.batches
		WHERE aggregated_at IS NOT NULL AND min_ts < $2 AND max_ts >= $1
		  AND received_at >= $3 AND age(xmin) <= age(($4::xid8)::xid)`
	candidates, err := collectBatches(ctx, tx, marked, s.from, s.to, s.since, s.xmin)
	if err != nil {
		return nil, fmt.Errorf("list batches folded since: %w", err)
	}
	seen, err := idsWhere(ctx, s.tx, `SELECT id FROM ingest.batches WHERE id = ANY($1)`, ids(candidates))
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

func ids(batches []batch) []uuid.UUID {
	list := make([]uuid.UUID, len(batches))
	for i, b := range batches {
		list[i] = b.id
	}
	return list
}

// idsWhere returns those of some ids that a query finds.
func idsWhere(ctx context.Context, tx pgx.Tx, query string, among []uuid.UUID) (map[uuid.UUID]bool, error) {
	found := map[uuid.UUID]bool{}
	if len(among) == 0 {
		return found, nil
	}
	rows, err := tx.Query(ctx, query, among)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		found[id] = true
		return nil
	})
	return found, err
}
