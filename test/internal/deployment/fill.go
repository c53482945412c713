package deployment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/client"
)

// bulkProducts is the number of products that one request may hold.
const bulkProducts = 1000

// Fill creates an API key that may ingest and read, and the given products. It returns the products in the order of their SKUs. The catalog must run.
func (d *Deployment) Fill(ctx context.Context, products []client.ProductCreateRequest) (key string, stored []client.Product, err error) {
	c, err := client.New(d.Service("auth").URL(),
		client.WithRoute("products", d.Service("catalog").URL()), client.WithLogin(AdminEmail, AdminPassword))
	if err != nil {
		return "", nil, err
	}
	defer c.CloseIdleConnections()
	created, err := c.CreateAPIKey(ctx, client.APIKeyCreateRequest{Name: "test", Scopes: []client.Scope{client.ScopeIngest, client.ScopeRead}})
	if err != nil {
		return "", nil, err
	}
	items := make([]client.ProductBulkItem, len(products))
	for i, p := range products {
		items[i] = client.ProductBulkItem{
			SKU: p.SKU, Name: p.Name, Description: &p.Description, Category: &p.Category,
			PriceMinor: &p.PriceMinor, Currency: p.Currency, Prices: p.Prices, Attributes: p.Attributes,
		}
	}
	for some := range slices.Chunk(items, bulkProducts) {
		result, err := c.BulkUpsertProducts(ctx, client.ProductBulkRequest{Products: some})
		if err != nil {
			return "", nil, err
		}
		if len(result.Errors) > 0 {
			return "", nil, fmt.Errorf("create products: %+v", result.Errors)
		}
	}
	for product, err := range c.AllProducts(ctx, &client.ListProductsParams{Limit: 100}) {
		if err != nil {
			return "", nil, err
		}
		stored = append(stored, product)
	}
	slices.SortFunc(stored, func(a, b client.Product) int { return strings.Compare(a.SKU, b.SKU) })
	return created.Key, stored, nil
}
