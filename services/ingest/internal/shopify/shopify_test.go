package shopify_test

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/shopify"
)

// FuzzParse checks that a body of any shape is an order, a refund, ignored or refused, and that amounts are never below 0.
func FuzzParse(f *testing.F) {
	for topic, body := range map[string]string{
		"orders/paid": `{"id":820982911946154508,"currency":"EUR","processed_at":"2026-03-14T10:26:53+01:00","customer":{"id":1},"line_items":[
			{"sku":"A","quantity":2,"price":"9.90","discount_allocations":[{"amount":"99"}]},null,{"quantity":1,"price":0}]}`,
		"orders/cancelled": `{"id":1,"financial_status":"voided","cancelled_at":"2026-03-14T10:26:53Z"}`,
		"refunds/create": `{"id":2,"order_id":1,"created_at":"2026-03-14T10:26:53Z","refund_line_items":[{"quantity":1,"subtotal":9.9,"line_item":{"sku":"A"}},null],
			"order_adjustments":[{"kind":"refund_discrepancy","amount":"-1.00"}],"transactions":[{"currency":"EUR"}]}`,
		"orders/create": `[]`,
	} {
		f.Add(topic, []byte(body))
	}
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		got, err := shopify.Parse(topic, false, body)
		if outcomes := count(err != nil, got.Ignored != "", got.Order != nil, got.Refund != nil); outcomes != 1 {
			t.Fatalf("%d outcomes: %+v, %v", outcomes, got, err)
		}
		if got.Order != nil {
			for _, l := range got.Order.Lines {
				if l.AmountMinor < 0 || l.SKU == "" {
					t.Errorf("line %+v", l)
				}
			}
		}
		if got.Refund != nil {
			for _, l := range got.Refund.Draft.Lines {
				if l.AmountMinor < 0 && !got.Refund.Draft.Refused() {
					t.Errorf("line %+v", l)
				}
			}
		}
	})
}

func count(all ...bool) (n int) {
	for _, one := range all {
		if one {
			n++
		}
	}
	return n
}
