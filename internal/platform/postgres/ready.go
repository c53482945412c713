package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SchemaReady returns a readiness check. It passes when the database answers and its schema has at least version want, the
// latest migration that the binary was built with. A service that is rolled out before its migration stays unready, and one
// that is running stays ready while a later migration is in progress. With writes, it fails while the database is read-only.
// It also fails when the session has lost its role or a setting, and closes the connection.
//
// A pool whose connections are all in use is no reason to be unready: it would send the load of an overloaded service to the others.
// The check then passes if it has passed before and connections go from hand to hand, because then the database works.
func SchemaReady(pool *pgxpool.Pool, want uint, writes bool) func(context.Context) error {
	var passed atomic.Bool
	return func(ctx context.Context) error {
		var version int64
		var readOnly bool
		const query = `SELECT version, current_setting('transaction_read_only')::bool FROM public.schema_migrations`
		handed := pool.Stat().AcquireCount()
		conn, err := pool.Acquire(ctx)
		if err != nil && passed.Load() && errors.Is(err, context.DeadlineExceeded) && pool.Stat().AcquireCount() > handed {
			return nil
		}
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer conn.Release()
		if err := check(ctx, conn.Conn()); err != nil {
			_ = conn.Conn().Close(ctx) // Release then drops it from the pool
			return err
		}
		err = conn.QueryRow(ctx, query).Scan(&version, &readOnly)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema version: %w", err)
		case version < int64(want):
			return fmt.Errorf("schema version is %d, need %d: run the migrations", version, want)
		case writes && readOnly:
			return errors.New("the database is read-only: a failover is under way, or default_transaction_read_only is on")
		}
		passed.Store(true)
		return nil
	}
}
