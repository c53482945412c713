package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Partition is a day of raw rows.
type Partition struct {
	Name  string
	Bytes int64 // on disk, indexes included
}

// dropPatience bounds how long a drop waits for readers of the partition: while it waits, writers wait behind it.
const dropPatience = time.Second

// DropExpired drops the partitions of the days before one and returns what it dropped. Nothing is dropped as long as a
// batch with rows of those days is not folded, nor while somebody reads them for long: the next time will do.
func (s Store) DropExpired(ctx context.Context, before time.Time) (dropped []Partition, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var pending bool
		const query = `SELECT EXISTS (SELECT FROM ingest.batches WHERE aggregated_at IS NULL AND min_ts < $1::date)`
		if err := tx.QueryRow(ctx, query, before).Scan(&pending); err != nil {
			return fmt.Errorf("look for pending batches: %w", err)
		}
		if pending {
			return nil
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, dropPatience.Milliseconds())); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
		rows, err := tx.Query(ctx, `SELECT partition, bytes FROM ingest.drop_partitions_before($1::date, false)`, before)
		if err != nil {
			return fmt.Errorf("drop expired partitions: %w", err)
		}
		if dropped, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Partition]); err != nil {
			return fmt.Errorf("drop expired partitions: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return dropped, nil
}
