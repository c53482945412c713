// Package postgres keeps the catalog in the schema catalog of Postgres.
package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// Store reads and writes products. It is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// New returns a store on pool, whose role must be hp_catalog.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// columns are those of a product, in the order of scan.
const columns = `id, placeholder, sku, name, description, category, price_minor, currency, prices, attributes, status, version, created_at, updated_at`

func scan(row pgx.CollectableRow) (product.Product, error) { return scanWith(row) }

// scanWith reads a product, and what the row has after it.
func scanWith(row pgx.CollectableRow, more ...any) (product.Product, error) {
	var p product.Product
	err := row.Scan(append([]any{&p.ID, &p.Placeholder, &p.SKU, &p.Name, &p.Description, &p.Category, &p.PriceMinor, &p.Currency, &p.Prices,
		&p.Attributes, &p.Status, &p.Version, &p.CreatedAt, &p.UpdatedAt}, more...)...)
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	return p, err
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one returns the product of the one row that a statement returns. pgx.ErrNoRows means that there is none.
func one(ctx context.Context, db querier, sql string, args ...any) (product.Product, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return product.Product{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// Create stores a new product of a project. A SKU that another product of the project has is a Conflict.
func (s *Store) Create(ctx context.Context, project int16, c product.Content) (product.Product, error) {
	const statement = `
		INSERT INTO catalog.products (id, project, sku, name, description, category, price_minor, currency, prices, attributes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		RETURNING ` + columns
	var p product.Product
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		p, err = one(ctx, tx, statement,
			newID(), project, c.SKU, c.Name, c.Description, c.Category, c.PriceMinor, c.Currency, c.Prices, c.Attributes)
		if err != nil {
			return err
		}
		return record(ctx, tx, project, product.Product{}, p)
	})
	if err != nil {
		return product.Product{}, fmt.Errorf("insert product %s: %w", c.SKU, classify(err, c.SKU))
	}
	return p, nil
}

// newID returns a time-ordered id: new rows land at the end of the primary key.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Find returns the product of a project with this id, NotFound if there is none. Other projects have products of their own.
func (s *Store) Find(ctx context.Context, project int16, id uuid.UUID) (product.Product, error) {
	return find(ctx, s.pool, project, id, "")
}

func find(ctx context.Context, db querier, project int16, id uuid.UUID, lock string) (product.Product, error) {
	p, err := one(ctx, db, `SELECT `+columns+` FROM catalog.products WHERE id = $1 AND project = $2`+lock, id, project)
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Product{}, errs.New(errs.NotFound, "product_not_found", "There is no product with this id.").Because(err)
	}
	if err != nil {
		return product.Product{}, fmt.Errorf("select product %s: %w", id, postgres.Classify(err))
	}
	return p, nil
}

// Update applies change to the product of a project with this id and returns the result. The row is locked from the read to the commit,
// so no other writer's change is lost; readers do not wait. A change without effect keeps the version.
func (s *Store) Update(ctx context.Context, project int16, id uuid.UUID, change product.Change) (product.Product, error) {
	var p product.Product
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		current, err := find(ctx, tx, project, id, ` FOR NO KEY UPDATE`)
		if err != nil {
			return err
		}
		next, err := change(current)
		if err != nil {
			return err
		}
		p, err = update(ctx, tx, next)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			p = current
			return nil
		case err != nil:
			return classify(err, next.SKU)
		}
		return record(ctx, tx, project, current, p)
	})
	if err != nil {
		return product.Product{}, fmt.Errorf("update product %s: %w", id, postgres.Classify(err))
	}
	return p, nil
}

// update writes a product if it differs from its row. pgx.ErrNoRows means that it does not.
func update(ctx context.Context, tx pgx.Tx, p product.Product) (product.Product, error) {
	const statement = `
		UPDATE catalog.products
		SET sku = $2, name = $3, description = $4, category = $5, price_minor = $6, currency = $7, prices = $8,
			attributes = $9, status = $10, placeholder = $11, version = version + 1, updated_at = now()
		WHERE id = $1
			AND (sku, name, description, category, price_minor, currency, prices, attributes, status, placeholder)
				IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11)
		RETURNING ` + columns
	return one(ctx, tx, statement, p.ID, p.SKU, p.Name, p.Description, p.Category, p.PriceMinor, p.Currency, p.Prices,
		p.Attributes, p.Status, p.Placeholder)
}

// classify gives err a kind; a violated uniqueness of the SKU is a Conflict.
func classify(err error, sku string) error {
	if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken {
		return product.SKUTaken(sku).Because(err)
	}
	return postgres.Classify(err)
}
