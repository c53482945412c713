package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// blockSize is the increment of ingest.batch_ids.
const blockSize = 1000

// batchIDs hands out ids of batches. It is safe for concurrent use.
type batchIDs struct {
	mu         sync.Mutex
	next, left int64
}

// take returns the next id. One of a thousand calls takes a block of them from the database.
func (b *batchIDs) take(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		if err := pool.QueryRow(ctx, `SELECT nextval('ingest.batch_ids')`).Scan(&b.next); err != nil {
			return 0, fmt.Errorf("take a block of ids of batches: %w", err)
		}
		b.left = blockSize
	}
	id := b.next
	b.next, b.left = b.next+1, b.left-1
	return id, nil
}

// batch is a row of ingest.batches: the rows of one project that a statement stores.
type batch struct {
	id      int64
	project int16
	rows    int
	epoch   int64 // the lowest at which users of the rows were looked up
	// first and last are the earliest and the latest ts.
	first, last time.Time
	facts       []byte // see package internal/protocol/facts
}

// include adds the time of a row, and the epoch of its user.
func (b *batch) include(ts time.Time, epoch int64) {
	if b.rows == 0 || epoch < b.epoch {
		b.epoch = epoch
	}
	if b.rows == 0 || ts.Before(b.first) {
		b.first = ts
	}
	if b.rows == 0 || ts.After(b.last) {
		b.last = ts
	}
	b.rows++
}
