package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestBulkOrders(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	order := func(id, rest string) string {
		return `{"id":"` + id + `","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1` + rest + `}]}`
	}
	items := []string{
		order("a", ""), anOrder, order("b", `,"amount_minor":-1`), order("c", ""), order("a", ""), // the last one repeats the first
		strings.Replace(anOrder, "2000", "2001", 1), `7`, order("d", `,"x":1`), order("a", `,"amount_minor":5`),
		order(`a\u0000`, ""),
	}
	want := []string{
		"2/lines/0/amount_minor invalid_value", "5/id conflict", "6 wrong_type", "7/lines/0/x unknown_field", "8/id conflict", "9/id invalid_value",
	}
	a := p.post("/orders/bulk", p.ingestKey, `{"orders":[`+strings.Join(items, ",")+`]}`)
	a.expectBulk(t, 2, 2, want...)
	if n := p.count(`SELECT count(*) FROM ingest.orders WHERE number IN ('a', 'c')`); n != 2 {
		t.Errorf("%d of the good orders are stored, want 2", n)
	}
	if ids, _ := a.object["batch_ids"].([]any); len(ids) != 2 {
		t.Errorf("batches %v, want the new one and that of the first order", a.object["batch_ids"])
	}

	// The same again as NDJSON with a byte order mark, CRLF and an empty line. Each order is on one line.
	onOneLine := strings.NewReplacer("\n", "", "\t", "")
	lines := "\ufeff" + onOneLine.Replace(strings.Join(items, "\r")) // which JSON has nowhere else
	lines = strings.ReplaceAll(lines, "\r", "\r\n\r\n") + "\r\n" + `{"id":`
	again := p.post("/orders/bulk", p.ingestKey, lines, "Content-Type", "application/x-ndjson")
	again.expectBulk(t, 0, 4, append(want, "10 malformed_json")...)
}

func TestBulkPurchases(t *testing.T) {
	t.Parallel()
	p := start(t)
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"id":"p-%d","user_id":"u-%d","sku":"SHOE","quantity":%d}`, i, i%7, i+1))
	}
	items[500] = `{"id":"bad","user_id":"u","sku":"NONE","quantity":1}`
	body := `{"purchases":[` + strings.Join(items, ",") + `]}`
	a := p.post("/purchases/bulk", p.ingestKey, body)
	a.expectBulk(t, 999, 0, "500/sku unknown_product")
	if n := p.count(`SELECT count(*) FROM ingest.batches WHERE kind = 'orders' AND rows = 999`); n != 1 {
		t.Errorf("%d batches of all rows, want 1", n)
	}
	if n := p.count(`SELECT sum(amount_minor) FROM ingest.order_lines`); n != (1000*1001/2-501)*12900 {
		t.Errorf("%d in all", n)
	}
	p.post("/purchases/bulk", p.ingestKey, body).expectBulk(t, 0, 999, "500/sku unknown_product")
	p.post("/purchases/bulk", p.ingestKey, `{"purchases":[`+items[500]+`]}`).expect(t, http.StatusUnprocessableEntity, "")
	p.post("/purchases/bulk", p.ingestKey, `{"purchases":[`+strings.Join(append(items, items[0]), ",")+`]}`).expect(t, http.StatusRequestEntityTooLarge, "batch_too_large")
	for body, errors := range map[string][]string{
		`{"purchases":[]}`:                {"/purchases empty_batch"},
		`{}`:                              {"/purchases required"},
		`[]`:                              {" wrong_type"},
		`{"purchases":{}}`:                {"/purchases wrong_type"},
		`{"purchases":[],"purchases":[]}`: {"/purchases duplicate_field"},
		`{"orders":[],"purchases":[]}`:    {"/orders unknown_field"},
	} {
		a := p.post("/purchases/bulk", p.ingestKey, body)
		if diff := cmp.Diff(errors, a.problems()); diff != "" || a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d (-want +got):\n%s", body, a.status, diff)
		}
	}
}

// TestTooManyLines: the lines of all orders of a request are bounded.
func TestTooManyLines(t *testing.T) {
	t.Parallel()
	p := start(t)
	lines := strings.TrimSuffix(strings.Repeat(`{"sku":"SHOE","quantity":1},`, 500), ",")
	var orders []string
	for range 21 {
		orders = append(orders, `{"id":"`+uuid.NewString()+`","user_id":"u","currency":"EUR","lines":[`+lines+`]}`)
	}
	p.post("/orders/bulk", p.ingestKey, `{"orders":[`+strings.Join(orders, ",")+`]}`).expect(t, http.StatusRequestEntityTooLarge, "batch_too_large")
	p.post("/orders/bulk", p.ingestKey, `{"orders":[`+strings.Join(orders[1:], ",")+`]}`).expectBulk(t, 20, 0)
	if n := p.count(`SELECT count(*) FROM ingest.order_lines`); n != 10_000 {
		t.Errorf("%d lines, want 10000", n)
	}
}
