package decode

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// FuzzOrders reads data as each form of orders.
func FuzzOrders(f *testing.F) {
	for _, seed := range []string{
		`{"orders":[{"id":"1","user_id":"u","currency":"EUR","properties":{"a":1},"lines":[{"sku":"A","quantity":2,"amount_minor":1}]},7,{"lines":[{}]}]}`,
		`{"purchases":[{"id":"1","user_id":"u","currency":"EUR","sku":"A","quantity":2},{"lines":[]}]}`,
		"\ufeff{\"id\":\"1\",\"lines\":[{\"sku\":\"A\",\"sku\":\"B\"}]}\r\n\n{\"lines\":[1,[]]}\n{",
		`{"orders":[],"orders":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []OrderKind{Orders(), Purchases()} {
			for _, read := range []func([]byte) ([]order.Draft, error){kind.Document, kind.Lines} {
				drafts, err := read(data)
				if err == nil && len(drafts) == 0 {
					t.Fatalf("%q: nothing, without an error", data)
				}
				for i := range drafts {
					checkDraft(t, data, drafts[i].FactDraft)
					checkLines(t, data, &drafts[i].FactDraft, drafts[i].Lines)
				}
			}
		}
	})
}

func FuzzRefund(f *testing.F) {
	f.Add([]byte(`{"id":"r","reason":"x","ts":"2026-03-14T09:26:53Z","lines":[{"line":1,"quantity":2},{"sku":"A","amount_minor":1}]}`))
	f.Add([]byte(`{"id":"r","amount_minor":1,"lines":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := Refund(data); err == nil {
			checkDraft(t, data, d.FactDraft)
			checkLines(t, data, &d.FactDraft, d.Lines)
		}
	})
}

// checkLines holds lines against what the rules rely on: an order that is not refused has only lines that could be read.
func checkLines(t *testing.T, data []byte, d *event.FactDraft, lines []order.LineDraft) {
	t.Helper()
	if len(lines) > order.MaxLines {
		t.Fatalf("%q: %d lines", data, len(lines))
	}
	for i := range lines {
		if l := &lines[i]; l.Good&^l.Sent != 0 || l.Good != l.Sent && !d.Refused() {
			t.Fatalf("%q: line %d: fields %b were sent and %b are good, and nothing says so", data, i, l.Sent, l.Good)
		}
	}
}
