package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// The largest bulk of products and the largest page of them that the API allows.
const (
	maxBulk = 1000
	maxPage = 100
)

// createProducts writes the shop's products to the catalog and returns their ids, in the order of the shop.
func createProducts(ctx context.Context, admin *client.Client, s *shop.Shop) ([]uuid.UUID, error) {
	products := make([]client.ProductBulkItem, len(s.Products))
	for i, p := range s.Products {
		products[i] = client.ProductBulkItem{
			SKU: p.SKU, Name: p.Name, Description: &p.Description, Category: &p.Category,
			PriceMinor: &p.PriceMinor, Currency: shop.Euro, Prices: client.Prices{shop.Yen: p.PriceYen}, Attributes: client.Attributes{"color": p.Color},
		}
	}
	for bulk := range slices.Chunk(products, maxBulk) {
		result, err := admin.BulkUpsertProducts(ctx, client.ProductBulkRequest{Products: bulk})
		if err != nil {
			return nil, err
		}
		for _, refused := range result.Errors {
			return nil, fmt.Errorf("product %s was refused, the first of %d: %s: %s",
				bulk[refused.Index].SKU, len(result.Errors), refused.Code, refused.Detail)
		}
	}
	return findProducts(ctx, admin, s)
}

func findProducts(ctx context.Context, admin *client.Client, s *shop.Shop) ([]uuid.UUID, error) {
	bySKU := make(map[string]uuid.UUID, len(s.Products))
	for product, err := range admin.AllProducts(ctx, &client.ListProductsParams{Q: s.Tag(), Limit: maxPage}) {
		if err != nil {
			return nil, err
		}
		bySKU[product.SKU] = product.ID
	}
	ids := make([]uuid.UUID, len(s.Products))
	for i, p := range s.Products {
		id, ok := bySKU[p.SKU]
		if !ok {
			return nil, fmt.Errorf("product %s was written, but the catalog does not list it among the active products", p.SKU)
		}
		ids[i] = id
	}
	return ids, nil
}
