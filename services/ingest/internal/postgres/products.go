package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	var idProjects, skuProjects []int16
	for _, ref := range refs {
		if ref.SKU != "" {
			skus, skuProjects = append(skus, ref.SKU), append(skuProjects, ref.Project)
		} else {
			ids, idProjects = append(ids, ref.ID), append(idProjects, ref.Project)
		}
	}
	// sent_sku is null in the rows that were found by id. LIMIT makes each ref one look-up by key.
	const query = `
		SELECT NULL AS sent_sku, sent.project, p.*
		FROM unnest($1::uuid[], $2::smallint[]) AS sent (id, project)
		CROSS JOIN LATERAL (
			SELECT id, n, sku, price_minor, currency, prices, placeholder
			FROM catalog.products AS p
			WHERE p.id = sent.id AND p.project = sent.project
			LIMIT 1
		) AS p
		UNION ALL
		SELECT sent.sku, sent.project, p.*
		FROM unnest($3::text[], $4::smallint[]) AS sent (sku, project)
		CROSS JOIN LATERAL (
			SELECT id, n, sku, price_minor, currency, prices, placeholder
			FROM catalog.products AS p
			WHERE p.project = sent.project AND p.sku = sent.sku
			LIMIT 1
		) AS p`
	found := make(map[event.Ref]event.Product, len(refs))
	rows, _ := s.pool.Query(ctx, query, ids, idProjects, skus, skuProjects) // ForEachRow returns its error
	var sku *string
	var project int16
	var p event.Product
	_, err := pgx.ForEachRow(rows, []any{&sku, &project, &p.ID, &p.N, &p.SKU, &p.PriceMinor, &p.Currency, &p.Prices, &p.Placeholder}, func() error {
		ref := event.Ref{Project: project, ID: p.ID}
		if sku != nil {
			ref = event.Ref{Project: project, SKU: *sku}
		}
		if len(p.Prices) == 0 {
			p.Prices = nil
		}
		found[ref] = p
		p = event.Product{} // a map would be merged with that of the next row
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up %d products: %w", len(refs), err))
	}
	return found, nil
}

// CreatePlaceholders implements products.Source. Rows are inserted in the order of their SKUs, so two of these statements, and an
// import of the catalog, cannot deadlock.
func (s *Store) CreatePlaceholders(ctx context.Context, refs []event.Ref, currency string) error {
	const insert = `
		WITH known AS (
			SELECT count(*) AS n FROM (SELECT FROM catalog.products WHERE project = $1 AND placeholder LIMIT $5) AS placeholders
		), unknown AS (
			SELECT id, sku, row_number() OVER (ORDER BY sku COLLATE "C") AS n
			FROM unnest($2::uuid[], $3::text[]) AS sent (id, sku)
			WHERE NOT EXISTS (SELECT FROM catalog.products AS p WHERE p.project = $1 AND p.sku = sent.sku)
		)
		INSERT INTO catalog.products (id, project, placeholder, sku, name, price_minor, currency)
		SELECT id, $1, true, sku, sku, 0, $4
		FROM unknown
		WHERE unknown.n <= $5 - (SELECT n FROM known)
		ORDER BY unknown.n
		ON CONFLICT (project, sku) DO NOTHING`
	ordered := slices.Clone(refs)
	slices.SortFunc(ordered, func(a, b event.Ref) int { return cmp.Compare(a.SKU, b.SKU) })
	ids, skus := make([]uuid.UUID, len(ordered)), make([]string, len(ordered))
	for i, ref := range ordered {
		ids[i], skus[i] = event.NewID(), ref.SKU
	}
	if err := s.repeatedExec(ctx, insert, refs[0].Project, ids, skus, currency, event.MaxPlaceholders); err != nil {
		return postgres.Classify(fmt.Errorf("create %d placeholder products: %w", len(refs), err))
	}
	return nil
}
