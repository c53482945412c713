package erase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// counted follows a part "gone" of a statement, which has the former user_n of the rows that were changed. It adds their number to
// the receipts and returns it. $1 and $2 are the pass, $3 is the table.
const counted = `, counted AS (
		SELECT u.erasure, count(*) AS n FROM gone JOIN ingest.erased_users AS u ON u.project = $1 AND u.n = gone.user_n GROUP BY u.erasure
	), noted AS (
		UPDATE ingest.erasures AS e
		SET removed = e.removed || jsonb_build_object($3::text, coalesce((e.removed ->> $3::text)::bigint, 0) + counted.n)
		FROM counted WHERE ` + ofPass + ` AND e.id = counted.erasure
	)
	SELECT count(*) FROM gone`

// The statements that make up to $5 rows of the users $4 those of nobody. What came from the person goes with the user.
const (
	orphanEvents = `
	WITH chosen AS MATERIALIZED (
		SELECT r.ts, r.id, r.user_n FROM ingest.events AS r
		WHERE r.project = $1 AND r.user_n = ANY($4::bigint[]) AND r.ts >= $6::timestamptz AND r.ts < $7::timestamptz LIMIT $5
	), gone AS (
		UPDATE ingest.events AS r SET user_n = 0, properties = NULL
		FROM chosen
		WHERE r.project = $1 AND r.ts >= $6 AND r.ts < $7 AND r.ts = chosen.ts AND r.id = chosen.id
		RETURNING chosen.user_n
	)` + counted
	orphanOrders = `
	WITH chosen AS MATERIALIZED (
		SELECT id, user_n FROM ingest.orders WHERE project = $1 AND user_n = ANY($4::bigint[]) LIMIT $5
	), gone AS (
		UPDATE ingest.orders AS r SET user_n = 0, properties = NULL FROM chosen WHERE r.project = $1 AND r.id = chosen.id RETURNING chosen.user_n
	)` + counted
	orphanRefunds = `
	WITH chosen AS MATERIALIZED (
		SELECT id, user_n FROM ingest.refunds WHERE project = $1 AND user_n = ANY($4::bigint[]) LIMIT $5
	), gone AS (
		UPDATE ingest.refunds AS r SET user_n = 0, reason = NULL FROM chosen WHERE r.project = $1 AND r.id = chosen.id RETURNING chosen.user_n
	)` + counted
)

// orphanRows makes a chunk of raw rows those of nobody: of events week by week, and then of orders and of refunds.
func (e *Eraser) orphanRows(ctx context.Context, p *pass) (Progress, error) {
	var week time.Time
	const next = `SELECT week FROM ingest.partitions WHERE $1::date IS NULL OR week > $1 ORDER BY week LIMIT 1`
	switch err := e.Pool.QueryRow(ctx, next, p.reached).Scan(&week); {
	case err == nil:
		return Moved, e.orphanWeek(ctx, p, week)
	case !errors.Is(err, pgx.ErrNoRows):
		return Idle, fmt.Errorf("look for the next week: %w", err)
	}
	return Moved, platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		for table, statement := range map[string]string{"ingest.orders": orphanOrders, "ingest.refunds": orphanRefunds} {
			n, err := p.orphan(ctx, tx, statement, table)
			if err != nil || n == chunk {
				return err
			}
		}
		return p.planDays(ctx, tx)
	})
}

// orphanWeek makes a chunk of the events of a week those of nobody. Rows of days that were dropped for the project while others hold the
// partition wait for the maintenance to delete them, and may not be changed: they are deleted now.
func (e *Eraser) orphanWeek(ctx context.Context, p *pass, week time.Time) error {
	if err := (postgres.Store{Pool: e.Pool}).DeleteDropped(ctx, p.project, week); err != nil {
		return err //nolint:wrapcheck // it says what was done
	}
	return platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		n, err := p.orphan(ctx, tx, orphanEvents, "ingest.events", week, week.AddDate(0, 0, 7))
		if err != nil || n == chunk {
			return err
		}
		return p.reach(ctx, tx, week)
	})
}

// orphan runs a statement and returns how many rows it has changed.
func (p *pass) orphan(ctx context.Context, tx pgx.Tx, statement, table string, within ...any) (n int, err error) {
	arguments := append([]any{p.project, p.epoch, table, p.numbers, chunk}, within...)
	if err := tx.QueryRow(ctx, statement, arguments...).Scan(&n); err != nil {
		return 0, fmt.Errorf("take the user from %s: %w", table, err)
	}
	return n, nil
}

// planDays begins with the rollups: it records on which days each person was counted, and how often. Nothing is counted for the
// numbers any more, so this is all there will be, but for what a rebuild puts back: then the days are planned again, and what is
// counted is added.
func (p *pass) planDays(ctx context.Context, tx pgx.Tx) error {
	const update = `
		WITH days AS (
			SELECT u.erasure, s.day, s.user_n, 1 AS stats, 0 AS revenue
			FROM ingest.erased_users AS u JOIN stats.user_daily_stats AS s ON s.project = u.project AND s.user_n = u.n
			WHERE u.project = $1 AND u.n = ANY($3)
			UNION ALL
			SELECT u.erasure, s.day, s.user_n, 0, 1
			FROM ingest.erased_users AS u JOIN stats.user_daily_revenue AS s ON s.project = u.project AND s.user_n = u.n
			WHERE u.project = $1 AND u.n = ANY($3)
		), plan AS (
			SELECT erasure, array_agg(DISTINCT day ORDER BY day) AS days, sum(stats) AS stats, sum(revenue) AS revenue,
				count(DISTINCT (user_n, day)) FILTER (WHERE stats = 1) AS sets
			FROM days GROUP BY erasure
		)
		UPDATE ingest.erasures AS e
		SET days = plan.days, removed = e.removed || jsonb_build_object(
			'stats.user_daily_stats', coalesce((e.removed ->> 'stats.user_daily_stats')::bigint, 0) + plan.stats,
			'stats.user_daily_revenue', coalesce((e.removed ->> 'stats.user_daily_revenue')::bigint, 0) + plan.revenue,
			'stats.daily_user_sets', coalesce((e.removed ->> 'stats.daily_user_sets')::bigint, 0) + plan.sets)
		FROM plan WHERE ` + ofPass + ` AND e.id = plan.erasure`
	if _, err := tx.Exec(ctx, update, p.project, p.epoch, p.numbers); err != nil {
		return fmt.Errorf("list the days of the users: %w", err)
	}
	return p.enter(ctx, tx, phaseRollups)
}
