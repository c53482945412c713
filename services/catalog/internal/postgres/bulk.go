package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// Upsert creates or updates the products of bulk.Items in a project by SKU in one transaction, and adds the outcomes to bulk.
func (s *Store) Upsert(ctx context.Context, project int16, bulk *product.Bulk) error {
	if len(bulk.Items) == 0 {
		return nil
	}
	// The statement locks rows in the order of its input. All upserts sort by SKU, so they cannot deadlock.
	items := slices.SortedFunc(slices.Values(bulk.Items), func(a, b product.Item) int { return cmp.Compare(a.SKU, b.SKU) })
	var written []product.Product
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		written, err = upsert(ctx, tx, project, items)
		return err
	})
	if err != nil {
		return fmt.Errorf("upsert %d products: %w", len(items), postgres.Classify(err))
	}
	for _, p := range written {
		if p.Version == 1 {
			bulk.Created++
		} else {
			bulk.Updated = append(bulk.Updated, p)
		}
	}
	bulk.Unchanged += len(items) - len(written)
	return nil
}

// upsert writes items in their order and returns the new and changed products. It also locks the unchanged rows.
func upsert(ctx context.Context, tx pgx.Tx, project int16, items []product.Item) ([]product.Product, error) {
	const statement = `
		INSERT INTO catalog.products AS old (project, id, sku, name, description, category, price_minor, currency, prices, attributes)
		SELECT $1, id, sku, name, description, category, price_minor, currency, prices, attributes::jsonb
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::jsonb[], $10::text[])
			AS given (id, sku, name, description, category, price_minor, currency, prices, attributes)
		ON CONFLICT (project, sku) DO UPDATE
		SET name = excluded.name, description = excluded.description, category = excluded.category,
			price_minor = excluded.price_minor, currency = excluded.currency, prices = excluded.prices, attributes = excluded.attributes,
			placeholder = false, version = old.version + 1, updated_at = now()
		WHERE (old.name, old.description, old.category, old.price_minor, old.currency, old.prices, old.attributes, old.placeholder)
			IS DISTINCT FROM (excluded.name, excluded.description, excluded.category, excluded.price_minor, excluded.currency,
				excluded.prices, excluded.attributes, false)
		RETURNING ` + columns
	rows, err := tx.Query(ctx, statement, project,
		column(items, func(product.Item) uuid.UUID { return newID() }),
		column(items, func(i product.Item) string { return i.SKU }),
		column(items, func(i product.Item) string { return i.Name }),
		column(items, func(i product.Item) string { return i.Description }),
		column(items, func(i product.Item) string { return i.Category }),
		column(items, func(i product.Item) int64 { return i.PriceMinor }),
		column(items, func(i product.Item) string { return i.Currency }),
		column(items, func(i product.Item) map[string]int64 { return i.Prices }),
		column(items, func(i product.Item) string { return string(i.Attributes) }),
	)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func column[T any](items []product.Item, value func(product.Item) T) []T {
	values := make([]T, len(items))
	for i, item := range items {
		values[i] = value(item)
	}
	return values
}
