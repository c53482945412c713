package rebuild

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	platformpg "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// memory bounds what is counted in memory before it is added to the shadow tables. A usual day fits, and then each shadow
// row is written once.
const memory = 64 << 20

// day rebuilds one day.
func (r *rebuild) day(ctx context.Context, d time.Time) (Day, error) {
	begin := time.Now()
	done := Day{Day: d}
	changed := redis.Fields{}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := platformpg.InTx(ctx, r.pool, options, func(reader pgx.Tx) error {
		if _, err := reader.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		snapshot, ok, err := postgres.TakeSnapshot(ctx, reader, d)
		if err != nil {
			return err
		}
		if !ok { // they expired in the meantime
			return &NoRawRowsError{Days: []time.Time{d}}
		}
		if done.Rows, err = r.count(ctx, snapshot); err != nil {
			return err
		}
		done, err = r.swap(ctx, snapshot, done, changed)
		return err
	})
	if err != nil {
		return Day{}, err
	}
	done.Took = time.Since(begin)
	if r.options.Redis != nil {
		done.Unpublished = (redis.Versions{Client: r.options.Redis}).PublishFields(ctx, changed)
	}
	return done, nil
}

// count fills the shadow tables with what a snapshot sees.
func (r *rebuild) count(ctx context.Context, snapshot *postgres.Snapshot) (int64, error) {
	if _, err := r.writer.Exec(ctx, `TRUNCATE `+names("shadow")); err != nil {
		return 0, fmt.Errorf("empty the shadow tables: %w", err)
	}
	return snapshot.Count(ctx, memory, func(deltas *rollup.Deltas) error {
		return platformpg.InTx(ctx, r.writer, pgx.TxOptions{}, func(tx pgx.Tx) error {
			return postgres.Shadow.Add(ctx, tx, 0, deltas)
		})
	})
}
