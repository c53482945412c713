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

// Snapshot is what one transaction sees of the raw rows of a day. It knows which of their batches were folded at its
// moment, so that those that were folded since can be told from them.
type Snapshot struct {
	tx       pgx.Tx
	from, to time.Time
	since    time.Time // batches that it does not see were begun after this
	xmin     string    // all transactions before this one had ended
	pending  []batch   // with rows of the day
}

// slowestWrite is how long the transaction that commits a batch may take at most, stalled processes included: batches
// whose received_at, which is its begin, lies longer before a snapshot are taken for seen by it.
const slowestWrite = 24 * time.Hour

// TakeSnapshot makes tx, which has to be repeatable read and new, a snapshot of a day. Until tx ends no partition can be
// dropped. Without the partitions of the day there is nothing to count: ok is false.
func TakeSnapshot(ctx context.Context, tx pgx.Tx, day time.Time) (s *Snapshot, ok bool, err error) {
	// A lock statement takes no snapshot: what is locked now is still there when the next one does.
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
		FROM ingest.batches
		WHERE aggregated_at IS NULL AND min_ts < $2 AND max_ts >= $1`
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

// notPending leaves out rows whose batch is not folded. Receipts are pruned some time after: no receipt means folded.
const notPending = `NOT EXISTS (SELECT FROM ingest.batches b WHERE b.id = raw.batch_id AND b.aggregated_at IS NULL)`

// Count counts the rows of the day whose batches were folded. Whenever the deltas have grown to budget bytes, and at the
// end, they are given to flush. It returns the number of rows.
func (s *Snapshot) Count(ctx context.Context, budget int, flush func(*rollup.Deltas) error) (int64, error) {
	const events = `SELECT product_id, user_id, type FROM ingest.events raw WHERE ts >= $1 AND ts < $2 AND ` + notPending
	const purchases = `SELECT product_id, user_id, quantity, amount_minor FROM ingest.purchases raw WHERE ts >= $1 AND ts < $2 AND ` + notPending
	day := rollup.DayOf(s.from)
	deltas := rollup.New()
	full := func() error {
		if deltas.Bytes() < budget {
			return nil
		}
		whole := deltas
		deltas = rollup.New()
		return flush(whole)
	}
	e, p := rollup.Event{Day: day}, rollup.Purchase{Day: day}
	counted, err := s.each(ctx, events, []any{&e.ProductID, &e.UserID, &e.Type}, func() error {
		deltas.AddEvent(e)
		return full()
	})
	if err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	bought, err := s.each(ctx, purchases, []any{&p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor}, func() error {
		deltas.AddPurchase(p)
		return full()
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

// lateChunk bounds the rows of late batches that are read at a time.
const lateChunk = 50_000

// Late reads, in tx, the rows of the day whose batches were folded after the snapshot, and gives them to add by and by.
// It returns their number. As long as tx keeps folds out, that and Count is all that is in the rollups.
func (s *Snapshot) Late(ctx context.Context, tx pgx.Tx, add func(*rollup.Deltas) error) (int64, error) {
	late, err := s.lateBatches(ctx, tx)
	if err != nil || len(late) == 0 {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // as a fold does
		return 0, fmt.Errorf("read late rows: %w", err)
	}
	var total int64
	for len(late) > 0 {
		var events, purchases selection
		for len(late) > 0 && events.rows+purchases.rows < lateChunk {
			if b := late[0]; b.kind == protocol.KindPurchases {
				purchases.add(b)
			} else {
				events.add(b)
			}
			late = late[1:]
		}
		deltas := rollup.New()
		counted, err := readEvents(ctx, tx, events.within(s.from, s.to), deltas)
		if err != nil {
			return 0, err
		}
		bought, err := readPurchases(ctx, tx, purchases.within(s.from, s.to), deltas)
		if err != nil {
			return 0, err
		}
		if err := add(deltas); err != nil {
			return 0, err
		}
		total += counted + bought
	}
	if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = on`); err != nil {
		return 0, fmt.Errorf("read late rows: %w", err)
	}
	return total, nil
}

// lateBatches returns the batches with rows of the day that are folded now and were not in the snapshot.
func (s *Snapshot) lateBatches(ctx context.Context, tx pgx.Tx) ([]batch, error) {
	// Those that pended then and do so no more; their receipts may be gone by now.
	waiting := ids(s.pending)
	const still = `SELECT id FROM ingest.batches WHERE id = ANY($1) AND aggregated_at IS NULL`
	stillPending, err := idsWhere(ctx, tx, still, waiting)
	if err != nil {
		return nil, fmt.Errorf("list batches that pend still: %w", err)
	}
	var late []batch
	for _, b := range s.pending {
		if !stillPending[b.id] {
			late = append(late, b)
		}
	}
	// Those that came later. A receipt's row is written by its fold, so a fold that the snapshot has not seen is one whose
	// transaction is not older than xmin. That lets a few through that it has seen: it is asked.
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
		return nil, fmt.Errorf("list batches seen before: %w", err)
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
