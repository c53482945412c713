// Package postgres reads the rollups. Each answer and its freshness are read in one REPEATABLE READ transaction, so they
// always describe the same state.
package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// Store reads rollups as the role hp_analytics. It is safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	watermark watermark
	backlog   backlog
}

// New returns a store on pool, which the caller closes.
func New(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, watermark: watermark{pool: pool, turn: make(chan struct{}, 1)}}
}

// snapshot runs fn on one consistent state of the database and returns the freshness of that state.
func (s *Store) snapshot(ctx context.Context, what string, fn func(tx pgx.Tx) error) (report.Meta, error) {
	var meta report.Meta
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	watermark, err := s.watermark.get(ctx)
	if err == nil {
		err = postgres.InTx(ctx, s.pool, options, func(tx pgx.Tx) (err error) {
			if meta, err = s.readMeta(ctx, tx, watermark); err != nil {
				return err
			}
			return fn(tx)
		})
	}
	if _, tooLarge := postgres.IsCode(err, postgres.NumericValueOutOfRange); tooLarge {
		return report.Meta{}, report.ErrTooLarge.Because(err)
	}
	if err != nil {
		return report.Meta{}, postgres.Classify(fmt.Errorf("read %s: %w", what, err))
	}
	return meta, nil
}

// Series returns the days of one product. A product that is not in the catalog is a NotFound error.
func (s *Store) Series(ctx context.Context, id uuid.UUID, r report.Range, interval report.Interval) (report.Series, error) {
	product := report.Product{ID: id}
	var days []report.ProductDay
	meta, err := s.snapshot(ctx, "the series of a product", func(tx pgx.Tx) (err error) {
		if product, err = readProduct(ctx, tx, id); err != nil {
			return err
		}
		days, err = readProductDays(ctx, tx, id, r)
		return err
	})
	if err != nil {
		return report.Series{}, err
	}
	return report.NewSeries(product, r, interval, days, meta)
}

func readProduct(ctx context.Context, tx pgx.Tx, id uuid.UUID) (report.Product, error) {
	p := report.Product{ID: id}
	err := tx.QueryRow(ctx, `SELECT sku, name FROM catalog.products WHERE id = $1`, id).Scan(&p.SKU, &p.Name)
	if errs.Is(postgres.Classify(err), errs.NotFound) {
		return p, errs.New(errs.NotFound, "unknown_product", "There is no product with this id.").Because(err)
	}
	return p, err
}

// readProductDays returns the days on which anything was counted, oldest first.
func readProductDays(ctx context.Context, tx pgx.Tx, id uuid.UUID, r report.Range) ([]report.ProductDay, error) {
	counts := `
		SELECT day, ` + strings.Join(stats.Columns(), `, `) + `
		FROM stats.product_daily
		WHERE product_id = $1 AND day BETWEEN $2 AND $3
		ORDER BY day`
	rows, err := tx.Query(ctx, counts, id, r.From, r.To)
	if err != nil {
		return nil, fmt.Errorf("days: %w", err)
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (report.ProductDay, error) {
		var d report.ProductDay
		err := row.Scan(append([]any{&d.Day}, d.Counts.Pointers()...)...)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("days: %w", err)
	}
	const sketches = `
		SELECT day, sketch
		FROM stats.product_daily_users
		WHERE product_id = $1 AND day BETWEEN $2 AND $3`
	users, err := readSketches[time.Time](ctx, tx, sketches, id, r.From, r.To)
	if err != nil {
		return nil, err
	}
	for i := range days {
		days[i].Users = users[days[i].Day]
	}
	return days, nil
}

// readSketches runs a query that returns rows of a key and a sketch, and merges the sketches with the same key: those of
// several lanes or days.
func readSketches[K comparable](ctx context.Context, tx pgx.Tx, query string, args ...any) (map[K]*sketch.Sketch, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	merged := map[K]*sketch.Sketch{}
	var key K
	var stored []byte
	_, err = pgx.ForEachRow(rows, []any{&key, &stored}, func() error {
		one := sketch.New()
		if err := one.UnmarshalBinary(stored); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if have, ok := merged[key]; ok {
			return have.Merge(one)
		}
		merged[key] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return merged, nil
}

// Summary returns the days of one user. A user who never did anything has none.
func (s *Store) Summary(ctx context.Context, userID string, r report.Range) (report.Summary, error) {
	query := `
		SELECT day, ` + strings.Join(stats.Columns(), `, `) + `
		FROM stats.user_daily
		WHERE user_id = $1 AND day BETWEEN $2 AND $3
		ORDER BY day`
	var days []report.UserDay
	meta, err := s.snapshot(ctx, "the summary of a user", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, userID, r.From, r.To)
		if err != nil {
			return err
		}
		days, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (report.UserDay, error) {
			var d report.UserDay
			err := row.Scan(append([]any{&d.Day}, d.Counts.Pointers()...)...)
			return d, err
		})
		return err
	})
	if err != nil {
		return report.Summary{}, err
	}
	return report.Summarize(userID, r, days, meta)
}
