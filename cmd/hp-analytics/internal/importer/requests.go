package importer

import (
	"encoding/json"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
)

func product(item group.Item) client.ProductBulkItem {
	f := item.Facts[0]
	p := client.ProductBulkItem{
		SKU: f.SKU, Category: f.Product.Category, Description: f.Product.Description, PriceMinor: f.Product.PriceMinor, Currency: f.Currency,
		Attributes: values(f.Properties),
	}
	if f.Product.Name != nil {
		p.Name = *f.Product.Name
	}
	if f.Product.Status != nil {
		p.Status = client.ProductStatus(*f.Product.Status)
	}
	return p
}

func event(item group.Item) client.EventInput {
	f := item.Facts[0]
	return client.EventInput{
		ID: item.ID, Type: f.Type, UserID: f.UserID, AnonymousID: f.AnonymousID, SKU: f.SKU, TS: f.TS, Properties: values(f.Properties),
	}
}

func order(item group.Item) client.OrderRequest {
	f := item.Facts[0]
	o := client.OrderRequest{
		ID: item.ID, UserID: f.UserID, AnonymousID: f.AnonymousID, Currency: f.Currency, TS: item.TS(), Properties: values(item.Properties()),
		Lines: make([]client.OrderLineRequest, len(item.Facts)),
	}
	for i, line := range item.Facts {
		o.Lines[i] = client.OrderLineRequest{SKU: line.SKU, Quantity: line.Units, AmountMinor: line.AmountMinor}
	}
	return o
}

func standaloneRefund(item group.Item) client.StandaloneRefundRequest {
	f := item.Facts[0]
	r := client.StandaloneRefundRequest{
		ID: item.ID, UserID: f.UserID, AnonymousID: f.AnonymousID, Currency: f.Currency, TS: item.TS(), Reason: f.Reason,
		Lines: make([]client.StandaloneRefundLineRequest, len(item.Facts)),
	}
	for i, line := range item.Facts {
		r.Lines[i] = client.StandaloneRefundLineRequest{SKU: line.SKU, Quantity: line.Units, AmountMinor: *line.AmountMinor}
	}
	return r
}

// refund returns the refund of an order: of products, of an amount, or of all that is left.
func refund(item group.Item) client.RefundRequest {
	f := item.Facts[0]
	r := client.RefundRequest{ID: item.ID, TS: item.TS(), Reason: f.Reason}
	if f.SKU == "" {
		if f.AmountMinor != nil {
			r.AmountMinor = *f.AmountMinor
		}
		return r
	}
	for _, line := range item.Facts {
		r.Lines = append(r.Lines, client.RefundLineRequest{SKU: line.SKU, Quantity: line.Units, AmountMinor: line.AmountMinor})
	}
	return r
}

// values returns properties as the client takes them. Numbers stay as they are written.
func values(properties map[string]json.RawMessage) map[string]any {
	if len(properties) == 0 {
		return nil
	}
	all := make(map[string]any, len(properties))
	for name, value := range properties {
		all[name] = value
	}
	return all
}
