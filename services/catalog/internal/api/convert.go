package api

import (
	"encoding/json"

	"github.com/oapi-codegen/nullable"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func answer(p product.Product) Product {
	return Product{
		ID:          p.ID,
		SKU:         p.SKU,
		Name:        p.Name,
		Description: p.Description,
		Category:    p.Category,
		PriceMinor:  p.PriceMinor,
		Currency:    p.Currency,
		Prices:      p.Prices,
		Status:      ProductStatus(p.Status),
		Placeholder: p.Placeholder,
		Attributes:  p.Attributes,
		Version:     p.Version,
		CreatedAt:   p.CreatedAt,
		UpdatedAt:   p.UpdatedAt,
	}
}

func listAnswer(filter product.Filter, items []product.Product, next *product.Position) ProductList {
	list := ProductList{Items: make([]Product, len(items)), NextCursor: nullable.NewNullNullable[string]()}
	for i, p := range items {
		list.Items[i] = answer(p)
	}
	if next != nil {
		list.NextCursor.Set(filter.Cursor(*next))
	}
	return list
}

// pageOf returns the page of a project that the parameters of a list request. Without a SKU it is one of active products by
// default.
func pageOf(project int16, params ListProductsParams) (product.Page, error) {
	page := product.Page{
		Limit: valueOr(params.Limit, defaultLimit),
	}
	filter := product.Filter{
		Project: project, SKU: valueOr(params.SKU, ""), Category: valueOr(params.Category, ""), Query: valueOr(params.Q, ""),
	}
	byDefault := ProductStatusFilterActive
	if filter.SKU != "" {
		byDefault = ProductStatusFilterAll
	}
	if status := valueOr(params.Status, byDefault); status != ProductStatusFilterAll {
		filter.Status = product.Status(status)
	}
	var err error
	if page.Filter, err = filter.Validate(); err != nil {
		return product.Page{}, err
	}
	if params.Cursor != nil {
		after, err := page.Filter.Position(*params.Cursor)
		if err != nil {
			return product.Page{}, err
		}
		page.After = &after
	}
	return page, nil
}

func valueOr[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

func contentOf(request ProductCreateRequest) product.Content {
	return product.Content{
		SKU:         request.SKU,
		Name:        request.Name,
		Description: request.Description,
		Category:    request.Category,
		PriceMinor:  request.PriceMinor,
		Currency:    request.Currency,
		Prices:      request.Prices,
		Attributes:  request.Attributes,
	}
}

func patchOf(request ProductPatch) product.Patch {
	return product.Patch{
		SKU:         request.SKU,
		Name:        request.Name,
		Description: cleared(request.Description),
		Category:    cleared(request.Category),
		PriceMinor:  request.PriceMinor,
		Currency:    request.Currency,
		NoPrices:    request.Prices.IsNull(),
		Prices:      pricesOf(request.Prices),
		Status:      (*product.Status)(request.Status),
		Attributes:  rawOf(request.Attributes),
	}
}

// cleared returns a member of a merge patch: nil if it is absent, the empty string if it is null.
func cleared(member nullable.Nullable[string]) *string {
	switch {
	case !member.IsSpecified():
		return nil
	case member.IsNull():
		return new("")
	default:
		return new(member.MustGet())
	}
}

func pricesOf(member nullable.Nullable[map[string]*int64]) map[string]*int64 {
	prices, err := member.Get()
	if err != nil { // absent or null
		return nil
	}
	return prices
}

func rawOf(member nullable.Nullable[json.RawMessage]) json.RawMessage {
	switch {
	case !member.IsSpecified():
		return nil
	case member.IsNull():
		return json.RawMessage("null")
	default:
		return member.MustGet()
	}
}
