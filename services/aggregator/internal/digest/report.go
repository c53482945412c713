package digest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/users"
)

// Report has the numbers of a period and of the one before, from one snapshot.
type Report struct {
	Period, Previous period.Period
	Zone             string
	// Complete is false while events are not counted that were received before the end of the period.
	Complete        bool
	Pending, Failed int64 // events that are stored and not counted: yet, or because they cannot be
	Now, Before     Figures
}

// Figures are the numbers of some days, as an overview has them.
type Figures struct {
	Counts stats.Counts
	Users  int64
	Exact  bool // Users is no estimate
	Money  []Amount
}

// Amount is money in one currency.
type Amount struct {
	Currency string
	stats.Money
}

// net returns the net amount in a currency, 0 without one.
func (f Figures) net(currency string) int64 {
	for i := range f.Money {
		if f.Money[i].Currency == currency {
			return f.Money[i].NetMinor()
		}
	}
	return 0
}

// report reads the numbers of a period.
func (s store) report(ctx context.Context, of target, p period.Period) (r Report, err error) {
	r.Period, r.Previous = p, p.Before()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = postgres.InTx(ctx, s.pool, options, func(tx pgx.Tx) error {
		history, err := zones.Of(ctx, tx, of.project)
		if err != nil {
			return err
		}
		r.Zone = history.Current().String()
		if err := r.readBacklog(ctx, tx, of.project, p.Ends(history.Current())); err != nil {
			return err
		}
		if r.Now, err = readFigures(ctx, tx, of.project, p); err != nil {
			return err
		}
		r.Before, err = readFigures(ctx, tx, of.project, r.Previous)
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("read the numbers of a digest: %w", err)
	}
	return r, nil
}

// readBacklog tells whether all is counted that was received before an instant. Digests are due an hour after it or later, and no
// transaction of a writer is that old, so every batch that was received before is visible.
func (r *Report) readBacklog(ctx context.Context, tx pgx.Tx, project int16, end time.Time) error {
	const query = `
		SELECT coalesce(bool_and(received_at >= $2) FILTER (WHERE NOT failed), true),
		       coalesce(sum(rows) FILTER (WHERE NOT failed), 0)::bigint, coalesce(sum(rows) FILTER (WHERE failed), 0)::bigint
		FROM ingest.unfolded_batches
		WHERE project = $1`
	if err := tx.QueryRow(ctx, query, project, end).Scan(&r.Complete, &r.Pending, &r.Failed); err != nil {
		return fmt.Errorf("read the backlog: %w", err)
	}
	return nil
}

func readFigures(ctx context.Context, tx pgx.Tx, project int16, p period.Period) (f Figures, err error) {
	first, last := p.First.Date(), p.Last.Date()
	counts := `SELECT ` + sums(stats.Columns()) + ` FROM stats.daily WHERE project = $1 AND day BETWEEN $2 AND $3`
	if err := tx.QueryRow(ctx, counts, project, first, last).Scan(f.Counts.Pointers()...); err != nil {
		return f, fmt.Errorf("counts: %w", err)
	}
	var a Amount
	rows, err := tx.Query(ctx, `SELECT currency, `+sums(stats.MoneyColumns())+`
		FROM stats.daily_money WHERE project = $1 AND day BETWEEN $2 AND $3 GROUP BY currency ORDER BY currency`, project, first, last)
	if err == nil {
		_, err = pgx.ForEachRow(rows, append([]any{&a.Currency}, a.Pointers()...), func() error {
			f.Money = append(f.Money, a)
			return nil
		})
	}
	if err != nil {
		return f, fmt.Errorf("money: %w", err)
	}
	if p.First == p.Last {
		f.Exact = true
		f.Users, err = users.Exact(ctx, tx, project, p.First)
		return f, err //nolint:wrapcheck // it says what it is
	}
	const sketches = `SELECT sketch FROM stats.daily_users WHERE project = $1 AND day BETWEEN $2 AND $3`
	f.Users, err = users.Estimate(ctx, tx, f.Counts[stats.Events]+f.Counts[stats.Purchases], sketches, project, first, last)
	return f, err //nolint:wrapcheck // it says what it is
}

// sums returns the list of a SELECT that adds up columns.
func sums(columns []string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = "coalesce(sum(" + column + "), 0)::bigint"
	}
	return strings.Join(parts, ", ")
}
