package postgres

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// updateAll writes edits of products that still have the version that was read, and returns them by SKU as they are now.
func updateAll(ctx context.Context, tx pgx.Tx, project int16, edits []edit) (map[string]product.Product, error) {
	written := make(map[string]product.Product, len(edits))
	if len(edits) == 0 {
		return written, nil
	}
	// Texts that may be long are sent only if they change.
	const statement = `
		WITH given AS (
			SELECT *
			FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bool[])
				AS given (id, version, name, description, category, price_minor, currency, prices, attributes, status, placeholder)
		), locked AS (
			SELECT p.id
			FROM catalog.products AS p
			JOIN given USING (id, version)
			WHERE p.project = $1
			ORDER BY p.sku
			FOR NO KEY UPDATE OF p
		)
		UPDATE catalog.products AS p
		SET name = given.name, description = coalesce(given.description, p.description), category = given.category,
			price_minor = given.price_minor, currency = given.currency, prices = given.prices::jsonb,
			attributes = coalesce(given.attributes::jsonb, p.attributes), status = given.status,
			placeholder = given.placeholder, version = p.version + 1, updated_at = now()
		FROM locked
		JOIN given USING (id)
		WHERE p.id = locked.id
		RETURNING p.sku, p.version, p.updated_at, p.attributes`
	rows, err := tx.Query(ctx, statement, project,
		column(edits, func(e edit) uuid.UUID { return e.now.ID }),
		column(edits, func(e edit) int64 { return e.now.Version }),
		column(edits, func(e edit) string { return e.now.Name }),
		column(edits, func(e edit) *string { return changed(e.old.Description, e.now.Description) }),
		column(edits, func(e edit) string { return e.now.Category }),
		column(edits, func(e edit) int64 { return e.now.PriceMinor }),
		column(edits, func(e edit) string { return e.now.Currency }),
		column(edits, func(e edit) string { return pricesText(e.now.Prices) }),
		column(edits, func(e edit) *string { return changed(string(e.old.Attributes), string(e.now.Attributes)) }),
		column(edits, func(e edit) string { return string(e.now.Status) }),
		column(edits, func(e edit) bool { return e.now.Placeholder }),
	)
	if err != nil {
		return nil, err
	}
	given := bySKU(edits)
	var row product.Product
	_, err = pgx.ForEachRow(rows, []any{&row.SKU, &row.Version, &row.UpdatedAt, &row.Attributes}, func() error {
		p := given[row.SKU]
		p.Version, p.UpdatedAt, p.Attributes = row.Version, row.UpdatedAt.UTC(), row.Attributes
		row.Attributes = nil // the next row gets memory of its own
		written[p.SKU] = p
		return nil
	})
	return written, err
}

// changed returns now if it differs from old.
func changed(old, now string) *string {
	if old == now {
		return nil
	}
	return &now
}

// insertAll creates the products of edits whose SKUs are still free, and adds them to written.
func insertAll(ctx context.Context, tx pgx.Tx, project int16, edits []edit, written map[string]product.Product) error {
	if len(edits) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO catalog.products (project, id, sku, name, description, category, price_minor, currency, prices, attributes, status)
		SELECT $1, id, sku, name, description, category, price_minor, currency, prices::jsonb, attributes::jsonb, status
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[])
			AS given (id, sku, name, description, category, price_minor, currency, prices, attributes, status)
		ON CONFLICT (project, sku) DO NOTHING
		RETURNING sku`
	rows, err := tx.Query(ctx, statement, project,
		column(edits, func(edit) uuid.UUID { return newID() }),
		column(edits, func(e edit) string { return e.now.SKU }),
		column(edits, func(e edit) string { return e.now.Name }),
		column(edits, func(e edit) string { return e.now.Description }),
		column(edits, func(e edit) string { return e.now.Category }),
		column(edits, func(e edit) int64 { return e.now.PriceMinor }),
		column(edits, func(e edit) string { return e.now.Currency }),
		column(edits, func(e edit) string { return pricesText(e.now.Prices) }),
		column(edits, func(e edit) string { return string(e.now.Attributes) }),
		column(edits, func(e edit) string { return string(e.now.Status) }),
	)
	if err != nil {
		return err
	}
	given := bySKU(edits)
	var sku string
	_, err = pgx.ForEachRow(rows, []any{&sku}, func() error {
		written[sku] = given[sku]
		return nil
	})
	return err
}

// pricesText returns the JSON of prices. Most products have none.
func pricesText(prices map[string]int64) string {
	if len(prices) == 0 {
		return "{}"
	}
	text, _ := json.Marshal(prices) // cannot fail
	return string(text)
}

func bySKU(edits []edit) map[string]product.Product {
	products := make(map[string]product.Product, len(edits))
	for _, e := range edits {
		products[e.item.SKU] = e.now
	}
	return products
}
