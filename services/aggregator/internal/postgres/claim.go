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

// FoldBatches is how many batches a fold claims at most, however few rows they have: marking a batch costs more than
// reading a row, and a fold is to end soon.
const FoldBatches = 10_000

// firstPage is how many batches a claim looks at first. Pages grow, so that large batches are found with few looks and
// many small ones with few statements.
const firstPage = 128

// batch is one claimed batch.
type batch struct {
	id           uuid.UUID
	kind         string
	rows         int
	minTS, maxTS *time.Time
}

// claim is what a fold has claimed so far, and what it still may.
type claim struct {
	batches []batch
	room    int // for batches
	budget  int // of rows
	rest    int // of the budget, or of the room, that is not worth the way past the claims of others
}

// full reports whether nothing more may be claimed.
func (c *claim) full() bool { return c.room <= 0 || c.budget <= 0 }

// claim locks pending batches up to the row budget; the last one may exceed it. Batches that another fold has locked are
// skipped, so folds never wait for each other.
func (s Store) claim(ctx context.Context, tx pgx.Tx, lane int16) ([]batch, error) {
	c := &claim{room: FoldBatches, budget: s.Rows, rest: min(FoldBatches, s.Rows) / 8}
	from, err := start(ctx, tx, lane)
	if err != nil {
		return nil, err
	}
	if err := c.between(ctx, tx, from, uuid.Max); err != nil {
		return nil, err
	}
	if from != uuid.Nil && !c.full() { // the task of what lies before may be this one
		err = c.between(ctx, tx, uuid.Nil, from)
	}
	return c.batches, err
}

// start says behind which batch a claim begins. In lane 0, where every worker that is alone is, that is none: the oldest
// come first. Other lanes begin at different places of the time that pends, because the oldest batches are those that
// the folds under way have locked, and to pass over thousands of them costs as much as to fold some. Lane 1 begins in
// the middle, 2 and 3 at the quarters, and so on, which spreads any number of them.
func start(ctx context.Context, tx pgx.Tx, lane int16) (uuid.UUID, error) {
	if lane == 0 {
		return uuid.Nil, nil
	}
	const query = `
		SELECT
			(SELECT id FROM ingest.batches WHERE aggregated_at IS NULL ORDER BY id LIMIT 1),
			(SELECT id FROM ingest.batches WHERE aggregated_at IS NULL ORDER BY id DESC LIMIT 1)`
	var oldest, newest *uuid.UUID
	if err := tx.QueryRow(ctx, query).Scan(&oldest, &newest); err != nil {
		return uuid.Nil, fmt.Errorf("look for pending batches: %w", err)
	}
	if oldest == nil || newest == nil {
		return uuid.Nil, nil
	}
	// Ids are UUIDv7, which begin with their time.
	from, to := binary.BigEndian.Uint64(oldest[:8]), binary.BigEndian.Uint64(newest[:8])
	part, _ := bits.Mul64(to-from, uint64(bits.Reverse16(uint16(lane)))<<48)
	var begin uuid.UUID
	binary.BigEndian.PutUint64(begin[:8], from+part)
	return begin, nil
}

// between claims batches after one and up to another, oldest first.
func (c *claim) between(ctx context.Context, tx pgx.Tx, after, end uuid.UUID) error {
	for page := firstPage; !c.full(); page *= 4 {
		// A pending batch has a row at least.
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
			c.room = 0 // not here, and not at the front, where others are
			return nil
		}
	}
	return nil
}

// lookAhead finds the last of the pending batches in a range that fit a number of batches and rows, if all were free, and
// how many they are. It reads the partial index of pending batches, so that no row is locked that does not fit.
func lookAhead(ctx context.Context, tx pgx.Tx, after, end uuid.UUID, batches, rows int) (last uuid.UUID, found int, err error) {
	const query = `
		SELECT id, n
		FROM (
			SELECT id, sum(rows) OVER w - rows AS before, row_number() OVER w AS n
			FROM (
				SELECT id, rows
				FROM ingest.batches
				WHERE aggregated_at IS NULL AND id > $1 AND id <= $2
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

// lock locks the pending batches after one and up to another that nobody else has locked.
func lock(ctx context.Context, tx pgx.Tx, after, to uuid.UUID) ([]batch, error) {
	const query = `
		SELECT id, kind, rows, min_ts, max_ts
		FROM ingest.batches
		WHERE aggregated_at IS NULL AND id > $1 AND id <= $2
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	rows, err := tx.Query(ctx, query, after, to)
	if err != nil {
		return nil, fmt.Errorf("claim batches: %w", err)
	}
	free, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b batch, err error) {
		err = row.Scan(&b.id, &b.kind, &b.rows, &b.minTS, &b.maxTS)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim batches: %w", err)
	}
	return free, nil
}
