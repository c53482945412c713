// Package users reads how many users projects had, so that digests and alerts of the same days agree.
package users

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/internal/stats/userset"
)

// Exact counts the users of a day of a project.
func Exact(ctx context.Context, tx pgx.Tx, project int16, day localtime.Day) (users int64, err error) {
	const query = `SELECT chunk, users FROM stats.daily_user_sets WHERE project = $1 AND day = $2 ORDER BY chunk`
	rows, err := tx.Query(ctx, query, project, day.Date())
	if err != nil {
		return 0, fmt.Errorf("sets of users: %w", err)
	}
	var counter userset.Counter[localtime.Day]
	var chunk int32
	var stored []byte
	_, err = pgx.ForEachRow(rows, []any{&chunk, &stored}, func() error { return counter.Add(day, chunk, stored) })
	if err != nil {
		return 0, fmt.Errorf("sets of users: %w", err)
	}
	return counter.Users()[day], nil
}

// Estimate estimates the users that the sketches of a query have together. Each user has sent a row at least, so there are most at the most, by
// however much the sketches are off.
func Estimate(ctx context.Context, tx pgx.Tx, most int64, query string, args ...any) (int64, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("users: %w", err)
	}
	all := sketch.New()
	var stored []byte
	_, err = pgx.ForEachRow(rows, []any{&stored}, func() error {
		one := sketch.New()
		if err := one.UnmarshalBinary(stored); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return all.Merge(one)
	})
	if err != nil {
		return 0, fmt.Errorf("users: %w", err)
	}
	return min(all.Estimate(), most), nil
}
