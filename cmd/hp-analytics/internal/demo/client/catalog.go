package client

import (
	"context"
	"fmt"
	"net/url"
	"slices"
)

// maxProducts is how many products one request may write.
const maxProducts = 1000

// Product is a product to create or update by its SKU.
type Product struct {
	SKU         string            `json:"sku"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Category    string            `json:"category"`
	PriceMinor  int64             `json:"price_minor"`
	Currency    string            `json:"currency"`
	Attributes  map[string]string `json:"attributes"`
}

// ItemError says why one item of a bulk request was refused.
type ItemError struct {
	Index  int    `json:"index"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// PutProducts creates and updates products. It is an error when any is refused.
func (c *Client) PutProducts(ctx context.Context, products []Product) error {
	for chunk := range slices.Chunk(products, maxProducts) {
		var result struct {
			Errors []ItemError `json:"errors"`
		}
		if _, err := c.post(ctx, "/products/bulk", map[string]any{"products": chunk}, &result); err != nil {
			return err
		}
		for _, refused := range result.Errors {
			return fmt.Errorf("product %s was refused, the first of %d: %s: %s",
				chunk[refused.Index].SKU, len(result.Errors), refused.Code, refused.Detail)
		}
	}
	return nil
}

// ProductIDs returns the ids of the active products whose name or SKU contains text, by SKU.
func (c *Client) ProductIDs(ctx context.Context, text string) (map[string]string, error) {
	ids := map[string]string{}
	query := url.Values{"q": {text}, "limit": {"100"}}
	for {
		var page struct {
			Items []struct {
				ID  string `json:"id"`
				SKU string `json:"sku"`
			} `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		if err := c.get(ctx, "/products", query, &page); err != nil {
			return nil, err
		}
		for _, product := range page.Items {
			ids[product.SKU] = product.ID
		}
		if page.NextCursor == "" {
			return ids, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}
