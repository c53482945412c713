// Package postgres reads the rollups. Each answer and its freshness are read in one REPEATABLE READ transaction, so they
// always describe the same state. Every query names the project of the caller: what belongs to another is not found.
package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// Store reads rollups as the role hp_analytics. It is safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	watermark watermark
	backlog   backlog
	totals    categoryTotals
}

// New returns a store on pool, which the caller closes.
func New(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, watermark: watermark{pool: pool, turn: make(chan struct{}, 1)}, totals: newCategoryTotals()}
}

// snapshot runs fn on one consistent state of the database and returns the freshness of that state for a project.
func (s *Store) snapshot(ctx context.Context, project int16, what string, fn func(tx pgx.Tx) error) (report.Meta, error) {
	var meta report.Meta
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	watermark, err := s.watermark.get(ctx)
	if err == nil {
		err = postgres.InTx(ctx, s.pool, options, func(tx pgx.Tx) (err error) {
			if meta, err = s.readMeta(ctx, tx, project, watermark); err != nil {
				return err
			}
			return fn(tx)
		})
	}
	if _, tooLarge := postgres.IsCode(err, postgres.NumericValueOutOfRange); tooLarge || errors.Is(err, segment.ErrTooLarge) {
		return report.Meta{}, report.ErrTooLarge.Because(err)
	}
	if err != nil {
		return report.Meta{}, postgres.Classify(fmt.Errorf("read %s: %w", what, err))
	}
	return meta, nil
}

// report runs fn on one consistent state of the database, with the calendar by which its rollups count. It returns that calendar, and
// the freshness and the time zones of an answer about a range.
func (s *Store) report(
	ctx context.Context, p authn.Project, r report.Range, what string, fn func(tx pgx.Tx, c report.Calendar) error,
) (meta report.Meta, c report.Calendar, err error) {
	c.WeekStart = p.WeekStart
	meta, err = s.snapshot(ctx, p.ID, what, func(tx pgx.Tx) (err error) {
		if c.Zones, err = zones.Of(ctx, tx, p.ID); err != nil {
			return err
		}
		return fn(tx, c)
	})
	if err == nil {
		meta.Zones = c.ZonesOf(r)
	}
	return meta, c, err
}

// Zones returns which time zone holds when in a project.
func (s *Store) Zones(ctx context.Context, project int16) (localtime.History, error) {
	history, err := zones.Of(ctx, s.pool, project)
	return history, postgres.Classify(err)
}

// Series returns the counts of one product over time. A product that is not in the project is a NotFound error.
func (s *Store) Series(ctx context.Context, p authn.Project, ref ProductRef, r report.Range, interval report.Interval) (report.ProductSeries, error) {
	var answer report.ProductSeries
	var stored report.Stored
	var err error
	var c report.Calendar
	answer.Meta, c, err = s.report(ctx, p, r, "the series of a product", func(tx pgx.Tx, c report.Calendar) error {
		n, product, err := readProduct(ctx, tx, p.ID, ref)
		if err != nil {
			return err
		}
		answer.Product = product
		of := source{name: "product", where: "product = @key", args: pgx.NamedArgs{"project": p.ID, "key": n}}
		if stored.Rows, err = of.rows(ctx, tx, c, r, interval); err != nil {
			return err
		}
		stored.Sketches, err = of.sketches(ctx, tx, r)
		return err
	})
	if err == nil {
		answer.Series, err = report.NewSeries(c, r, interval, stored, answer.Meta.CompleteUntil)
	}
	return answer, err
}

// Summary returns the days of one user, with those of its anonymous ids. A user who never did anything has none.
func (s *Store) Summary(ctx context.Context, p authn.Project, userID string, r report.Range) (report.Summary, error) {
	var days []report.Row
	meta, c, err := s.report(ctx, p, r, "the summary of a user", func(tx pgx.Tx, c report.Calendar) error {
		numbers, err := readUserNumbers(ctx, tx, p.ID, userID)
		if err != nil || len(numbers) == 0 {
			return err
		}
		of := source{name: "user", where: "user_n = ANY(@key)", args: pgx.NamedArgs{"project": p.ID, "key": numbers}}
		days, err = of.rows(ctx, tx, c, r, report.Daily)
		return err
	})
	if err != nil {
		return report.Summary{}, err
	}
	return report.Summarize(c, userID, r, days, meta)
}
