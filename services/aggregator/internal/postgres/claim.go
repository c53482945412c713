package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// FoldBatches bounds the batches of one fold, however few rows they have. Marking a batch costs more than reading a row, so
// the row budget alone would let a fold of many small batches take long.
const FoldBatches = 10_000

// A claim holds the facts of its batches in memory, some 10 bytes a row. It ends when they exceed factsBytes, and no page of it
// has many more rows than pageRows.
const (
	factsBytes = 8 << 20
	pageRows   = 100_000
)

// firstPage is the size of the first page of pending batches that a claim reads. Later pages grow: a claim of large batches
// ends within the first page, and a claim of many small ones needs few statements.
const firstPage = 128

// isPending is the condition of the partial index of pending batches. A failed batch is not pending: claims do not see it.
const isPending = `aggregated_at IS NULL AND failed_at IS NULL`

// claim is what a fold has claimed so far, and what it may still claim.
type claim struct {
	batches []batch
	room    int // batches that may still be claimed
	budget  int // rows that may still be claimed
	bytes   int // facts that may still be claimed
	// rest is the room or the budget below which a claim that meets locked batches stops. Scanning past what other folds
	// have locked costs more than so small a remainder is worth.
	rest int
}

// full reports whether nothing more may be claimed.
func (c *claim) full() bool { return c.room <= 0 || c.budget <= 0 || c.bytes <= 0 }

// claim locks pending batches up to the row budget; the last one may exceed it. It skips batches that another fold has
// locked, so folds never wait for each other.
func (s Store) claim(ctx context.Context, tx pgx.Tx, lane int16) ([]batch, error) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres")
	ctx, span := tracer.Start(ctx, "claim", trace.WithAttributes(attribute.Int("hpa.lane", int(lane))))
	defer span.End()
	c := &claim{room: FoldBatches, budget: s.Rows, bytes: factsBytes, rest: min(FoldBatches, s.Rows) / 8}
	from, err := start(ctx, tx, lane)
	if err != nil {
		return nil, err
	}
	if err := c.between(ctx, tx, from, math.MaxInt64); err != nil {
		return nil, err
	}
	if from != 0 && !c.full() { // this may be the only fold that was woken, so it must not leave what lies before
		err = c.between(ctx, tx, 0, from)
	}
	return c.batches, err
}

// start returns the id after which a claim begins. Lane 0 begins at the oldest pending batch; a single worker always has
// lane 0. The other lanes begin at different points of the pending ids, which are roughly in the order of time: the oldest
// batches are locked by the folds in flight, and skipping thousands of locked batches costs as much as folding some. Lane 1
// begins in the middle, lanes 2 and 3 at the quarters, and so on (bit reversal), which spreads any number of lanes.
func start(ctx context.Context, tx pgx.Tx, lane int16) (int64, error) {
	if lane == 0 {
		return 0, nil
	}
	const query = `
		SELECT
			(SELECT id FROM ingest.batches WHERE ` + isPending + ` ORDER BY id LIMIT 1),
			(SELECT id FROM ingest.batches WHERE ` + isPending + ` ORDER BY id DESC LIMIT 1)`
	var oldest, newest *int64
	if err := tx.QueryRow(ctx, query).Scan(&oldest, &newest); err != nil {
		return 0, fmt.Errorf("look for pending batches: %w", err)
	}
	if oldest == nil || newest == nil {
		return 0, nil
	}
	part, _ := bits.Mul64(uint64(*newest-*oldest), uint64(bits.Reverse16(uint16(lane)))<<48)
	return *oldest + int64(part), nil
}

// between claims batches with an id above after and up to end, oldest first.
func (c *claim) between(ctx context.Context, tx pgx.Tx, after, end int64) error {
	for page := firstPage; !c.full(); page = min(4*page, FoldBatches) {
		// A pending batch has at least one row, so the budget of rows bounds the batches as well.
		to, found, err := lookAhead(ctx, tx, after, end, min(page, c.room, c.budget), min(c.budget, pageRows))
		if err != nil || found == 0 {
			return err
		}
		free, err := lock(ctx, tx, after, to)
		if err != nil {
			return err
		}
		for _, b := range free {
			c.budget -= b.rows
			c.bytes -= len(b.facts)
		}
		c.room -= len(free)
		c.batches, after = append(c.batches, free...), to
		if len(free) < found && min(c.room, c.budget) <= c.rest {
			c.room = 0 // ends the claim
			return nil
		}
	}
	return nil
}

// lookAhead returns the last pending batch of a range that fits a number of batches and rows, assuming that none is locked,
// and how many fit. It reads the partial index of pending batches and locks nothing, so no batch is locked that does not fit.
func lookAhead(ctx context.Context, tx pgx.Tx, after, end int64, batches, rows int) (last int64, found int, err error) {
	const query = `
		SELECT id, n
		FROM (
			SELECT id, sum(rows) OVER w - rows AS before, row_number() OVER w AS n
			FROM (
				SELECT id, rows
				FROM ingest.batches
				WHERE ` + isPending + ` AND id > $1 AND id <= $2
				ORDER BY id
				LIMIT $3
			) AS page
			WINDOW w AS (ORDER BY id)
		) AS page
		WHERE before < $4
		ORDER BY id DESC
		LIMIT 1`
	err = tx.QueryRow(ctx, query, after, end, batches, rows).Scan(&last, &found)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for pending batches: %w", err)
	}
	return last, found, nil
}

// lock locks the pending batches with an id above after and up to "to", except those that are locked already.
func lock(ctx context.Context, tx pgx.Tx, after, to int64) ([]batch, error) {
	const query = `
		SELECT ` + batchColumns + `
		FROM ingest.batches
		WHERE ` + isPending + ` AND id > $1 AND id <= $2
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	free, err := collectBatches(ctx, tx, query, after, to)
	if err != nil {
		return nil, fmt.Errorf("claim batches: %w", err)
	}
	return free, nil
}

// lockThese locks those of some batches that are still pending and that no other fold has locked.
func lockThese(ctx context.Context, tx pgx.Tx, batches []batch) ([]batch, error) {
	const query = `
		SELECT ` + batchColumns + `
		FROM ingest.batches
		WHERE ` + isPending + ` AND (project, id) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	projects, ids := keysOf(batches)
	free, err := collectBatches(ctx, tx, query, projects, ids)
	if err != nil {
		return nil, fmt.Errorf("claim batches again: %w", err)
	}
	return free, nil
}
