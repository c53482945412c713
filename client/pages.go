package client

import (
	"context"
	"iter"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"
)

// AllProducts goes through all products that match params, page by page. It ends after an error.
func (c *Client) AllProducts(ctx context.Context, params *ListProductsParams, options ...CallOption) iter.Seq2[Product, error] {
	return func(yield func(Product, error) bool) {
		var page ListProductsParams
		if params != nil {
			page = *params
		}
		for {
			list, err := c.ListProducts(ctx, &page, options...)
			if err != nil {
				yield(Product{}, err)
				return
			}
			for _, product := range list.Items {
				if !yield(product, nil) {
					return
				}
			}
			if list.NextCursor == "" {
				return
			}
			page.Cursor = list.NextCursor
		}
	}
}

// Day returns the day of t in UTC, as parameters such as TopProductsParams.From take it.
func Day(t time.Time) openapi_types.Date {
	return openapi_types.Date{Time: t.UTC().Truncate(24 * time.Hour)}
}
