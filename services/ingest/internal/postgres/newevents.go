package postgres

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// copyFrom is how many rows are worth COPY: it takes three round trips more than an insert from arrays, and less of
// Postgres for each row (BenchmarkStoreEvents: equal at about 250 rows).
const copyFrom = 250

// storeNewEvents stores a batch and its receipt, or nothing if one of the keys is already there.
func (s *Store) storeNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	return s.withPartitions(ctx, timesOf(ordered), func() error {
		if len(ordered) < copyFrom {
			return s.insertNewEvents(ctx, batch, ordered)
		}
		return s.copyNewEvents(ctx, batch, ordered)
	})
}

func timesOf(ordered []*event.Event) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, e := range ordered {
			if !yield(e.TS) {
				return
			}
		}
	}
}

// insertNewEvents does it in one statement.
func (s *Store) insertNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	const insert = `
		WITH stored AS (
			INSERT INTO ingest.events (id, ts, product_id, user_id, type, properties, batch_id)
			SELECT id, ts, product_id, user_id, type, properties, $1
			FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[])
				AS sent (id, ts, product_id, user_id, type, properties)
		)
		INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
		VALUES ($1, $2, $9, $10, $11)`
	c := newEventColumns(ordered)
	_, err := s.pool.Exec(ctx, insert, batch, protocol.KindEvents,
		c.id, c.ts, c.product, c.user, c.typ, c.properties, len(ordered), c.ts[0], c.ts[len(c.ts)-1])
	return err
}

// copyNewEvents does it by COPY.
func (s *Store) copyNewEvents(ctx context.Context, batch uuid.UUID, ordered []*event.Event) error {
	const rows = `COPY ingest.events (ts, id, product_id, batch_id, user_id, type, properties) FROM STDIN (FORMAT binary)`
	const receipt = `INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts) VALUES ($1, $2, $3, $4, $5)`
	buffer := s.buffers.Get()
	buffer.fill(batch, ordered)
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(buffer.data), rows); err != nil {
			return fmt.Errorf("copy rows: %w", err)
		}
		_, err := tx.Exec(ctx, receipt, batch, protocol.KindEvents, len(ordered), ordered[0].TS, ordered[len(ordered)-1].TS)
		return err
	})
	if err == nil {
		s.buffers.Put(buffer) // after a failure pgx may still be reading it
	}
	return err
}

// keyTaken reports whether err says that a row of the same key is already there.
func keyTaken(err error) bool {
	_, ok := postgres.IsCode(err, postgres.UniqueViolation)
	return ok
}

// hope decides whether rows are taken for new. A batch that is not costs two tries, so for some batches after a
// disappointment none is made: clients that repeat themselves seldom do it once.
type hope struct{ careful atomic.Int32 }

// caution is how many batches are stored with care after a taken key.
const caution = 16

func (h *hope) hopeful() bool {
	for {
		n := h.careful.Load()
		if n == 0 {
			return true
		}
		if h.careful.CompareAndSwap(n, n-1) {
			return false
		}
	}
}

func (h *hope) disappointed() { h.careful.Store(caution) }
