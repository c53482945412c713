package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// FoldBatches bounds the batches of one fold, however few rows they have. Marking a batch costs more than reading a row, so
// the row budget alone would let a fold of many small batches take long.
const FoldBatches = 10_000

// firstPage is the size of the first page of pending batches that a claim reads. Later pages grow: a claim of large batches
// ends within the first page, and a claim of many small ones needs few statements.
const firstPage = 128

// isPending is the condition of the partial index of pending batches. A failed batch is not pending: claims do not see it.
const isPending = `aggregated_at IS NULL AND failed_at IS NULL`

// batch is one claimed batch.
type batch struct {
	id           uuid.UUID
	kind         string
	rows         int
	minTS, maxTS *time.Time
}

// claim is what a fold has claimed so far, and what it may still claim.
type claim struct {
	batches []batch
	room    int // batches that may still be claimed
	budget  int // rows that may still be claimed
	// rest is the room or the budget below which a claim that meets locked batches stops. Scanning past what other folds
	// have locked costs more than so small a remainder is worth.
	rest int
}

// full reports whether nothing more may be claimed.
func (c *claim) full() bool { return c.room <= 0 || c.budget <= 0 }

// claim locks pending batches up to the row budget; the last one may exceed it. It skips batches that another fold has
// locked, so folds never wait for each other.
func (s Store) claim(ctx context.Context, tx pgx.Tx, lane int16) ([]batch, error) {
	c := &claim{room: FoldBatches, budget: s.Rows, rest: min(FoldBatches, s.Rows) / 8}
	from, err := start(ctx, tx, lane)
	if err != nil {
		return nil, err
	}
	if err := c.between(ctx, tx, from, uuid.Max); err != nil {
		return nil, err
	}
	if from != uuid.Nil && !c.full() { // this may be the only fold that was woken, so it must not leave what lies before
		err = c.between(ctx, tx, uuid.Nil, from)
	}
	return c.batches, err
}

// start returns the id after which a claim begins. Lane 0 begins at the oldest pending batch; a single worker always has
// lane 0. The other lanes begin at different points of the pending time range: the oldest batches are locked by the folds in
// flight, and skipping thousands of locked batches costs as much as folding some. Lane 1 begins in the middle, lanes 2 and 3
// at the quarters, and so on (bit reversal), which spreads any number of lanes.
func start(ctx context.Context, tx pgx.Tx, lane int16) (uuid.UUID, error) {
	if lane == 0 {
		return uuid.Nil, nil
	}
	const query = `
		SELECT
			(SELECT id FROM ingest.batches WHERE ` + isPending + ` ORDER BY id LIMIT 1),
			(SELECT id FROM ingest.batches WHERE ` + isPending + ` ORDER BY id DESC LIMIT 1)`
	var oldest, newest *uuid.UUID
	if err := tx.QueryRow(ctx, query).Scan(&oldest, &newest); err != nil {
		return uuid.Nil, fmt.Errorf("look for pending batches: %w", err)
	}
	if oldest == nil || newest == nil {
		return uuid.Nil, nil
	}
	// Ids are UUIDv7: their first 8 bytes begin with the time.
	from, to := binary.BigEndian.Uint64(oldest[:8]), binary.BigEndian.Uint64(newest[:8])
	part, _ := bits.Mul64(to-from, uint64(bits.Reverse16(uint16(lane)))<<48)
	var begin uuid.UUID
	binary.BigEndian.PutUint64(begin[:8], from+part)
	return begin, nil
}

// between claims batches with an id above after and up to end, oldest first.
func (c *claim) between(ctx context.Context, tx pgx.Tx, after, end uuid.UUID) error {
	for page := firstPage; !c.full(); page = min(4*page, FoldBatches) {
		// A pending batch has at least one row, so the budget of rows bounds the batches as well.
		to, found, err := lookAhead(ctx, tx, after, end, min(page, c.room, c.budget), c.budget)
		if err != nil || found == 0 {
			return err
		}
		free, err := lock(ctx, tx, after, to)
		if err != nil {
			return err
		}
		for _, b := range free {
			c.budget -= b.rows
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
func lookAhead(ctx context.Context, tx pgx.Tx, after, end uuid.UUID, batches, rows int) (last uuid.UUID, found int, err error) {
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
		return uuid.Nil, 0, nil
	}
	if err != nil {
		return uuid.Nil, 0, fmt.Errorf("look for pending batches: %w", err)
	}
	return last, found, nil
}

// lock locks the pending batches with an id above after and up to "to", except those that are locked already.
func lock(ctx context.Context, tx pgx.Tx, after, to uuid.UUID) ([]batch, error) {
	const query = `
		SELECT id, kind, rows, min_ts, max_ts
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
		SELECT id, kind, rows, min_ts, max_ts
		FROM ingest.batches
		WHERE ` + isPending + ` AND id = ANY($1)
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	free, err := collectBatches(ctx, tx, query, ids(batches))
	if err != nil {
		return nil, fmt.Errorf("claim batches again: %w", err)
	}
	return free, nil
}
