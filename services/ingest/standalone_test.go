package ingest_test

import (
	"net/http"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
)

// cancelled is a refund of no order, of 2 shoes for 15.30 pounds and of 12 pence for nothing that came back.
func cancelled(id, more string) string {
	return `{"id":"` + id + `","user_id":"u","currency":"GBP","ts":"2010-12-01T09:41:00Z",` + more +
		`"lines":[{"sku":"SHOE","quantity":2,"amount_minor":1530},{"sku":"HAT","amount_minor":12}]}`
}

func TestARefundOfNoOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	stored := p.post("/refunds", p.ingestKey, cancelled("C536379", ""))
	stored.expect(t, http.StatusCreated, "")
	if stored.object["order_id"] != nil || stored.number("amount_minor") != 1542 || stored.string("currency") != "GBP" {
		t.Errorf("the answer is %v", stored.object)
	}
	if n := p.count(`SELECT count(*) FROM ingest.refunds r JOIN ingest.refund_lines l ON l.project = r.project AND l.refund_id = r.id
		JOIN ingest.users u ON u.n = r.user_n WHERE r.order_id IS NULL AND u.id = 'u' AND u.first_seen = '2010-12-01T09:41:00Z'`); n != 2 {
		t.Errorf("%d lines are stored", n)
	}
	var data []byte
	if err := p.db.QueryRow(t.Context(), `SELECT facts FROM ingest.batches WHERE kind = 'refunds' AND rows = 2`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	reader, err := facts.NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	var units, amount int64
	for line := (facts.Line{}); reader.Line(&line); {
		units, amount = units+line.Units, amount+line.AmountMinor
	}
	if reader.Err() != nil || units != 2 || amount != 1542 {
		t.Errorf("the facts count %d units and %d pence, %v", units, amount, reader.Err())
	}
	again := p.post("/refunds", p.ingestKey, cancelled("C536379", `"sent_at":"2026-01-01T00:00:00Z",`))
	again.expect(t, http.StatusCreated, "")
	if again.header.Get("Idempotency-Replayed") != "true" || again.string("batch_id") != stored.string("batch_id") {
		t.Errorf("sent again: %v, %v", again.header, again.object)
	}
	p.post("/refunds", p.ingestKey, cancelled("C536379", `"reason":"other",`)).expect(t, http.StatusConflict, "conflict")
}

func TestRefundsOfNoOrderInBulk(t *testing.T) {
	t.Parallel()
	p := start(t)
	bad := `{"id":"bad","user_id":"u","currency":"GBP","lines":[{"sku":"NONE","quantity":1,"amount_minor":1}]}`
	body := `{"refunds":[` + cancelled("a", "") + `,` + cancelled("b", "") + `,` + cancelled("a", "") + `,` + bad + `]}`
	for _, want := range []struct{ accepted, duplicates int }{{2, 1}, {0, 3}} {
		got := p.post("/refunds/bulk", p.ingestKey, body)
		got.expect(t, http.StatusAccepted, "")
		if got.number("accepted") != want.accepted || got.number("duplicates") != want.duplicates || got.number("rejected") != 1 {
			t.Errorf("%v, want %+v and one rejected", got.object, want)
		}
	}
	// One of an order in the same flush is none of their concern.
	p.post("/orders", p.ingestKey, `{"id":"o","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`).expect(t, http.StatusCreated, "")
	p.post("/orders/o/refunds", p.ingestKey, `{"id":"a"}`).expect(t, http.StatusConflict, "conflict")
	p.post("/orders/o/refunds", p.ingestKey, `{"id":"c"}`).expect(t, http.StatusCreated, "")
	if n := p.count(`SELECT count(*) FROM ingest.refunds`); n != 3 {
		t.Errorf("%d refunds are stored", n)
	}
}

func TestRefundsOfNoOrderThatAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, lines := range []string{
		`[]`, `[{"sku":"SHOE","quantity":1}]`, `[{"sku":"SHOE","amount_minor":0}]`, `[{"sku":"SHOE","quantity":0,"amount_minor":1}]`,
		`[{"quantity":1,"amount_minor":1}]`, `[{"sku":"SHOE","quantity":1,"amount_minor":-1}]`, `[{"sku":"NONE","amount_minor":1}]`,
		`[{"sku":"SHOE","amount_minor":1000000000000},{"sku":"SHOE","amount_minor":1}]`,
	} {
		p.post("/refunds", p.ingestKey, `{"id":"x","user_id":"u","currency":"EUR","lines":`+lines+`}`).
			expect(t, http.StatusUnprocessableEntity, "validation_failed")
	}
	for _, body := range []string{
		`{"user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","amount_minor":1}]}`, `{"id":"x","currency":"EUR","lines":[{"sku":"SHOE","amount_minor":1}]}`,
		`{"id":"x","user_id":"u","lines":[{"sku":"SHOE","amount_minor":1}]}`, `{"id":"x","user_id":"u","currency":"ZZZ","lines":[{"sku":"SHOE","amount_minor":1}]}`,
	} {
		p.post("/refunds", p.ingestKey, body).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	}
	p.post("/refunds", p.apiKey("read"), cancelled("x", "")).expect(t, http.StatusForbidden, "forbidden")
	if n := p.count(`SELECT count(*) FROM ingest.refunds`); n != 0 {
		t.Errorf("%d refunds are stored", n)
	}
}
