package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Products implements products.Source with one query.
func (s *Store) Products(ctx context.Context, refs []event.Ref) (map[event.Ref]event.Product, error) {
	if len(refs) == 0 {
		return map[event.Ref]event.Product{}, nil
	}
	var ids []uuid.UUID
	var skus []string
	for _, ref := range refs {
		if ref.SKU != "" {
			skus = append(skus, ref.SKU)
		} else {
			ids = append(ids, ref.ID)
		}
	}
	// sku is null in the rows that were found by id.
	const query = `
		SELECT NULL AS sku, id, status = 'archived', price_minor, currency
		FROM catalog.products
		WHERE id = ANY ($1::uuid[])
		UNION ALL
		SELECT sku, id, status = 'archived', price_minor, currency
		FROM catalog.products
		WHERE sku = ANY ($2::text[])`
	found := make(map[event.Ref]event.Product, len(refs))
	rows, _ := s.pool.Query(ctx, query, ids, skus) // ForEachRow returns its error
	var sku *string
	var p event.Product
	_, err := pgx.ForEachRow(rows, []any{&sku, &p.ID, &p.Archived, &p.PriceMinor, &p.Currency}, func() error {
		ref := event.Ref{ID: p.ID}
		if sku != nil {
			ref = event.Ref{SKU: *sku}
		}
		found[ref] = p
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up %d products: %w", len(refs), err))
	}
	return found, nil
}
