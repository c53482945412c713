package postgres

import (
	"context"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// maxRepeats bounds how often a statement is repeated that Postgres ended because of other transactions.
const maxRepeats = 3

// repeated runs write, which is one transaction, again while it is the victim of a deadlock or of a serialization failure. Nothing of
// such a run remains.
func repeated(write func() error) error {
	for range maxRepeats {
		err := write()
		_, deadlock := postgres.IsCode(err, postgres.DeadlockDetected)
		_, serialization := postgres.IsCode(err, postgres.SerializationFailure)
		if !deadlock && !serialization {
			return err
		}
	}
	return write()
}

// repeatedExec runs a statement, as repeated does.
func (s *Store) repeatedExec(ctx context.Context, sql string, args ...any) error {
	return repeated(func() error {
		_, err := s.pool.Exec(ctx, sql, args...)
		return err
	})
}

// repeatedPairs runs a query that writes, as repeated does, and adds to pairs what row makes of each of its rows, which are scanned
// into fields.
func repeatedPairs[K comparable, V any](ctx context.Context, s *Store, pairs map[K]V, fields []any, row func() (K, V), query string, args ...any) error {
	got := map[K]V{}
	err := repeated(func() error {
		clear(got)                                   // rows of a run that failed were not committed
		rows, _ := s.pool.Query(ctx, query, args...) // ForEachRow returns its error
		_, err := pgx.ForEachRow(rows, fields, func() error {
			key, value := row()
			got[key] = value
			return nil
		})
		return err
	})
	if err == nil {
		maps.Copy(pairs, got)
	}
	return err
}
