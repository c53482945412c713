package shopify_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/shopify"
)

// TestManyElements checks that arrays of more elements than an order may have are refused, without memory for all of them.
func TestManyElements(t *testing.T) { //nolint:paralleltest // counts what the process allocates
	const n = 300_000
	many := "[" + strings.Repeat("{},", n) + "{}]"
	for _, tc := range []struct{ topic, body string }{
		{"orders/paid", `{"id":1,"processed_at":"2026-03-14T10:26:53Z","line_items":` + many + `}`},
		{"orders/paid", `{"id":1,"processed_at":"2026-03-14T10:26:53Z","currency":"EUR","line_items":[{"quantity":1,"price":1,"discount_allocations":` + many + `}]}`},
		{"refunds/create", `{"id":1,"order_id":1,"created_at":"2026-03-14T10:26:53Z","refund_line_items":` + many + `}`},
		{"refunds/create", `{"id":1,"order_id":1,"created_at":"2026-03-14T10:26:53Z","order_adjustments":` + many + `}`},
		{"refunds/create", `{"id":1,"order_id":1,"created_at":"2026-03-14T10:26:53Z","refund_line_items":[{"quantity":1}],"transactions":` + many + `}`},
	} {
		body := []byte(tc.body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := shopify.Parse(tc.topic, false, body)
		runtime.ReadMemStats(&after)
		if refused := got.Order != nil && got.Order.Refused() || got.Refund != nil && got.Refund.Draft.Refused(); err != nil || !refused {
			t.Errorf("%.90s is not refused: %v", body, err)
		}
		if took := int(after.TotalAlloc - before.TotalAlloc); took > 3*len(body) {
			t.Errorf("%.90s of %d bytes takes %d", body, len(body), took)
		}
	}
}

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
