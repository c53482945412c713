package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

func TestARefundIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	a := p.post("/orders/web-1001/refunds", p.ingestKey, `{"id":"r-1","reason":"too small","lines":[{"line":2,"quantity":1},{"sku":"SHOE","amount_minor":23}]}`)
	a.expect(t, http.StatusCreated, "")
	order, _ := identifier.ID(1, "", "web-1001")
	id, _ := identifier.ID(1, "", "r-1")
	back := func(line int, product string, quantity, amount float64) map[string]any {
		return map[string]any{"line": float64(line), "product_id": product, "sku": skuOf[product], "quantity": quantity, "amount_minor": amount}
	}
	want := map[string]any{
		"id": id.String(), "number": "r-1", "order_id": order.String(), "order_number": "web-1001", "batch_id": a.object["batch_id"], "currency": "EUR", "amount_minor": 373.0,
		"reason": "too small", "ts": a.object["ts"], "received_at": a.object["received_at"],
		"lines": []any{back(1, shoeID, 0, 20), back(2, hatID, 1, 350), back(3, shoeID, 0, 3)}, // 23 in proportion to 2000 and 300
	}
	if diff := cmp.Diff(want, a.object); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM ingest.refunds r JOIN ingest.batches b ON b.id = r.batch AND b.project = r.project
		JOIN ingest.orders o ON o.id = r.order_id AND o.user_n = r.user_n
		WHERE r.id = $1 AND r.lines = 3 AND b.kind = 'refunds' AND b.rows = 3 AND b.min_ts = r.ts AND b.max_ts = r.ts AND b.id::text = $2`,
		id, a.string("batch_id")); n != 1 {
		t.Errorf("%d such rows, want 1", n)
	}
	got := p.get("/orders/web-1001", p.apiKey("read"))
	if diff := cmp.Diff([]any{want}, got.object["refunds"]); diff != "" || got.number("refunded_minor") != 373 {
		t.Errorf("the order has %v refunded (-want +got):\n%s", got.object["refunded_minor"], diff)
	}
	var left []float64
	for _, line := range got.object["lines"].([]any) {
		l := line.(map[string]any)
		left = append(left, l["left_quantity"].(float64), l["left_minor"].(float64), l["refunded_quantity"].(float64), l["refunded_minor"].(float64))
	}
	if diff := cmp.Diff([]float64{1, 1980, 0, 20, 1, 350, 1, 350, 1, 297, 0, 3}, left); diff != "" {
		t.Errorf("left and refunded of the lines (-want +got):\n%s", diff)
	}

	// A retry with another time is the same refund; other content is not. Both are known by the id alone.
	again := p.post("/orders/web-1001/refunds", p.ingestKey,
		`{"ts":"`+ago(300*24*time.Hour)+`","id":"r-1","reason":"too small","lines":[{"line":2,"quantity":1},{"sku":"SHOE","amount_minor":23}]}`)
	if diff := cmp.Diff(a.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer differs (-first +again):\n%s", diff)
	}
	p.post("/orders/web-1001/refunds", p.ingestKey, `{"id":"r-1"}`).expect(t, http.StatusConflict, "conflict")
}

func TestRefundsOfAnOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	refund := func(body string) answer { return p.post("/orders/web-1001/refunds", p.ingestKey, body) }
	refund(`{"id":"1","amount_minor":3001}`).expect(t, http.StatusUnprocessableEntity, "refund_too_large")
	refund(`{"id":"1","lines":[{"line":2,"quantity":3}]}`).expect(t, http.StatusUnprocessableEntity, "refund_too_large")
	refund(`{"id":"1","lines":[{"line":4}]}`).expect(t, http.StatusUnprocessableEntity, "not_in_order")
	for _, unknown := range []string{"web-9999", uuid.NewString(), uuid.Nil.String()} {
		p.post("/orders/"+unknown+"/refunds", p.ingestKey, `{"id":"1"}`).expect(t, http.StatusNotFound, "not_found")
	}
	for body, errors := range map[string][]string{
		`{}`:                              {"/id required"},
		`{"id":"1","amount_minor":0}`:     {"/amount_minor invalid_value"},
		`{"id":"1","lines":[]}`:           {"/lines invalid_value"},
		`{"id":"1","lines":[{}]}`:         {"/lines/0/product_id product_required"},
		`{"id":"1","lines":[{"line":0}]}`: {"/lines/0/line invalid_value"},
		`{"id":"1","currency":"EUR"}`:     {"/currency unknown_field"},
		`{"id":"1","amount_minor":1,"lines":[{"line":1}]}`:        {"/amount_minor invalid_value"},
		`{"id":"1","lines":[{"line":1,"sku":"SHOE"}]}`:            {"/lines/0/line product_ambiguous"},
		`{"id":"1","lines":[{"line":1,"amount_minor":0}]}`:        {"/lines/0/amount_minor invalid_value"},
		`{"id":"1","reason":"` + strings.Repeat("x", 1001) + `"}`: {"/reason invalid_value"},
		`{"id":"1","reason":"a\u0000"}`:                           {"/reason invalid_value"},
		`{"id":"1","reason":"too \ud83d small"}`:                  {"/reason invalid_value"},
		"{\"id\":\"1\",\"reason\":\"\xff\xfe\"}":                  {"/reason invalid_value"},
	} {
		a := refund(body)
		a.expect(t, http.StatusUnprocessableEntity, "validation_failed")
		if diff := cmp.Diff(errors, a.problems()); diff != "" {
			t.Errorf("%s: errors (-want +got):\n%s", body, diff)
		}
	}
	refund(`{"id":"1","lines":[{"line":2,"quantity":1}]}`).expect(t, http.StatusCreated, "")
	whole := refund(`{"id":"2"}`)
	if whole.status != http.StatusCreated || whole.number("amount_minor") != 2650 {
		t.Errorf("all that is left: %d %v, want 2650", whole.status, whole.object)
	}
	refund(`{"id":"3"}`).expect(t, http.StatusUnprocessableEntity, "refund_too_large")
	p.post("/orders/web-1001/refunds", p.auth.Token(authn.Analyst, aliceID), `{"id":"4"}`).expect(t, http.StatusForbidden, "forbidden")
	if n := p.count(`SELECT sum(amount_minor) - 3000 + sum(l.refunded_units) - 4 FROM ingest.order_lines AS l WHERE amount_minor = refunded_minor`); n != 0 {
		t.Errorf("the lines are off by %d", n)
	}
}

// TestManyRefundsAtOnce races refunds of one order: the sum never exceeds what was paid, and nothing is lost.
func TestManyRefundsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	const clients, each = 40, 100 // 30 of them fit
	answers := make(chan string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			a, err := p.try(http.MethodPost, "/orders/web-1001/refunds", p.ingestKey, fmt.Appendf(nil, `{"id":"r-%d","amount_minor":%d}`, i, each))
			answers <- fmt.Sprint(a.status, " ", a.string("code"), err)
		})
	}
	wg.Wait()
	close(answers)
	seen := map[string]int{}
	for a := range answers {
		seen[a]++
	}
	if diff := cmp.Diff(map[string]int{"201 <nil>": 30, "422 refund_too_large<nil>": 10}, seen); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT sum(refunded_minor) FROM ingest.order_lines`); n != 3000 {
		t.Errorf("%d refunded, want 3000", n)
	}
	if n := p.count(`SELECT sum(amount_minor) FROM ingest.refund_lines`); n != 3000 {
		t.Errorf("%d in the refunds, want 3000", n)
	}
}
