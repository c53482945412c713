package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// anOrder has three lines with two products, for 30.00 EUR in all.
const anOrder = `{"id":"web-1001","user_id":"customer-17","currency":"EUR","properties":{"b":1,"a":"x"},"lines":[
	{"sku":"SHOE","quantity":1,"amount_minor":2000},{"sku":"HAT","quantity":2,"amount_minor":700},{"sku":"SHOE","quantity":1,"amount_minor":300}]}`

// skuOf are the SKUs of the products by id.
var skuOf = map[string]string{shoeID: "SHOE", hatID: "HAT"}

// TestAnswersNameProductsByBothIDs sends an order and a refund that name their products by id.
func TestAnswersNameProductsByBothIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	line := `"user_id":"u","currency":"EUR","lines":[{"product_id":"` + shoeID + `","quantity":1,"amount_minor":2000}]}`
	for path, id := range map[string]string{"/orders": uuid.NewString(), "/refunds": "return-7"} {
		for _, attempt := range []string{"first", "again"} {
			a := p.post(path, p.ingestKey, `{"id":"`+id+`",`+line)
			a.expect(t, http.StatusCreated, "")
			lines, _ := a.object["lines"].([]any)
			if l, _ := lines[0].(map[string]any); l["sku"] != "SHOE" || l["product_id"] != shoeID {
				t.Errorf("%s, %s: %v", path, attempt, l)
			}
			want := any(id)
			if path == "/orders" {
				want = nil // its id is the UUID
			}
			if a.object["number"] != want || path == "/refunds" && a.object["order_number"] != nil {
				t.Errorf("%s, %s: %v", path, attempt, a.object)
			}
		}
	}
}

func TestAnOrderIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	ts := time.Now().UTC().Add(-26 * time.Hour).Truncate(time.Microsecond)
	a := p.post("/orders", p.ingestKey, `{"ts":"`+ts.Format(time.RFC3339Nano)+`",`+anOrder[1:])
	a.expect(t, http.StatusCreated, "")
	id, err := identifier.ID(1, "", "web-1001")
	if err != nil {
		t.Fatal(err)
	}
	line := func(n int, product string, quantity, amount float64) map[string]any {
		return map[string]any{
			"line": float64(n), "product_id": product, "sku": skuOf[product], "quantity": quantity, "amount_minor": amount,
			"refunded_quantity": 0.0, "refunded_minor": 0.0, "left_quantity": quantity, "left_minor": amount,
		}
	}
	want := map[string]any{
		"id": id.String(), "number": "web-1001", "batch_id": a.object["batch_id"], "user_id": "customer-17", "anonymous_id": nil,
		"currency": "EUR", "amount_minor": 3000.0, "refunded_minor": 0.0, "ts": a.object["ts"], "received_at": a.object["received_at"],
		"properties": map[string]any{"b": 1.0, "a": "x"}, "refunds": []any{},
		"lines": []any{line(1, shoeID, 1, 2000), line(2, hatID, 2, 700), line(3, shoeID, 1, 300)},
	}
	if diff := cmp.Diff(want, a.object); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM ingest.batches WHERE project = 1 AND kind = 'orders' AND rows = 3 AND min_ts = $1 AND max_ts = $1 AND facts IS NOT NULL`, ts); n != 1 {
		t.Errorf("%d such batches, want 1", n)
	}
	for _, path := range []string{"/orders/web-1001", "/orders/" + id.String()} {
		got := p.get(path, p.apiKey("read"))
		got.expect(t, http.StatusOK, "")
		if diff := cmp.Diff(want, got.object); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestTheSameOrderAgain sends an order with other times: a client that stamps each attempt anew means the same order.
func TestTheSameOrderAgain(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := p.post("/orders", p.ingestKey, anOrder)
	first.expect(t, http.StatusCreated, "")
	p.exec(`UPDATE catalog.products SET status = 'archived', sku = sku || '-OLD'`) // no longer matters
	first = p.get("/orders/web-1001", p.apiKey("read"))                            // with the SKUs of today
	for i, stamp := range []string{
		`"ts":"` + ago(time.Second) + `",`, `"ts":"` + ago(200*24*time.Hour) + `",`, `"sent_at":"` + ago(0) + `",`,
	} {
		body := "{" + stamp + strings.Replace(anOrder[1:], `{"b":1,"a":"x"}`, `{ "a":"x", "b":1 }`, 1)
		again := p.post("/orders", p.ingestKey, body)
		again.expect(t, http.StatusCreated, "")
		if diff := cmp.Diff(first.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("attempt %d differs (-first +again):\n%s", i, diff)
		}
	}
	for name, other := range map[string]string{
		"user":     strings.Replace(anOrder, "customer-17", "customer-18", 1),
		"currency": strings.Replace(anOrder, "EUR", "USD", 1),
		"amount":   strings.Replace(anOrder, "2000", "2001", 1),
		"quantity": strings.Replace(anOrder, `"quantity":2`, `"quantity":3`, 1),
		"product":  strings.Replace(anOrder, "HAT", "SCARF", 1),
		"property": strings.Replace(anOrder, `"b":1`, `"b":2`, 1),
		"a line":   strings.Replace(anOrder, `{"sku":"HAT","quantity":2,"amount_minor":700},`, "", 1),
	} {
		if a := p.post("/orders", p.ingestKey, other); a.status != http.StatusConflict || a.string("code") != "conflict" {
			t.Errorf("other %s: %d %v", name, a.status, a.object)
		}
	}
	if n := p.count(`SELECT count(*) + (SELECT count(*) FROM ingest.batches) FROM ingest.orders`); n != 2 {
		t.Errorf("%d orders and batches, want one of each", n)
	}
}

func TestBadOrders(t *testing.T) {
	t.Parallel()
	p := start(t)
	lines := func(lines string) string { return `{"id":"x","user_id":"u","currency":"EUR","lines":` + lines + `}` }
	many := "[" + strings.Repeat(`{"sku":"SHOE","quantity":1},`, 2000) + `{"sku":"SHOE","quantity":1}]`
	for name, tc := range map[string]struct {
		body   string
		errors []string
	}{
		"no id":             {`{"user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, []string{"/id required"}},
		"an empty id":       {`{"id":"","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, []string{"/id invalid_value"}},
		"an id with NUL":    {`{"id":"a\u0000","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, []string{"/id invalid_value"}},
		"half an emoji":     {`{"id":"a\ud83d","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, []string{"/id invalid_value"}},
		"the zero time":     {`{"ts":"0001-01-01T00:00:00Z",` + lines(`[{"sku":"SHOE","quantity":1}]`)[1:], []string{"/ts ts_too_old"}},
		"the Unix time 0":   {`{"ts":"1970-01-01T00:00:00Z",` + lines(`[{"sku":"SHOE","quantity":1}]`)[1:], []string{"/ts ts_too_old"}},
		"no currency":       {`{"id":"x","user_id":"u","lines":[{"sku":"SHOE","quantity":1,"amount_minor":1}]}`, []string{"/currency required"}},
		"unknown currency":  {`{"id":"x","user_id":"u","currency":"ZZZ","lines":[{"sku":"SHOE","quantity":1,"amount_minor":1}]}`, []string{"/currency invalid_value"}},
		"nobody":            {`{"id":"x","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, []string{"/user_id user_id_required"}},
		"no lines":          {`{"id":"x","user_id":"u","currency":"EUR"}`, []string{"/lines required"}},
		"empty lines":       {lines(`[]`), []string{"/lines required"}},
		"lines are no list": {lines(`{}`), []string{"/lines wrong_type"}},
		"501 lines":         {lines(many), []string{"/lines too_many_lines"}},
		"a product outside": {`{"sku":"SHOE",` + lines(`[{"sku":"SHOE","quantity":1}]`)[1:], []string{"/sku unknown_field"}},
		"bad lines": {
			lines(`[{"sku":"SHOE","quantity":0},{"quantity":1,"amount_minor":-1},{"sku":"NONE","quantity":"1"},7,{"sku":"SHOE","quantity":1,"x":1}]`),
			[]string{
				"/lines/2/quantity wrong_type", "/lines/3 wrong_type", "/lines/4/x unknown_field",
				"/lines/0/quantity invalid_value", "/lines/1/product_id product_required", "/lines/1/amount_minor invalid_value",
			},
		},
		"unknown product":     {lines(`[{"sku":"SHOE","quantity":1},{"sku":"NONE","quantity":1}]`), []string{"/lines/1/sku unknown_product"}},
		"no price":            {strings.Replace(lines(`[{"sku":"SHOE","quantity":1}]`), "EUR", "USD", 1), []string{"/lines/0/amount_minor no_price"}},
		"a line too dear":     {lines(`[{"sku":"SHOE","quantity":1,"amount_minor":1000000000001}]`), []string{"/lines/0/amount_minor invalid_value"}},
		"too dear altogether": {lines(`[{"sku":"SHOE","quantity":1,"amount_minor":1000000000000},{"sku":"SHOE","quantity":1,"amount_minor":1}]`), []string{"/lines amount_too_large"}},
	} {
		a := p.post("/orders", p.ingestKey, tc.body)
		a.expect(t, http.StatusUnprocessableEntity, "validation_failed")
		if diff := cmp.Diff(tc.errors, a.problems()); diff != "" {
			t.Errorf("%s: errors (-want +got):\n%s", name, diff)
		}
	}
	p.post("/orders", p.ingestKey, `{"x":"`+strings.Repeat("x", 513<<10)+`"}`).expect(t, http.StatusRequestEntityTooLarge, "body_too_large")
	if n := p.count(`SELECT count(*) + (SELECT count(*) FROM ingest.order_lines) FROM ingest.orders`); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
}

// TestPrices has the prices of lines that name no amount: in the product's currency, in another one, and changed in this second.
func TestPrices(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`UPDATE catalog.products SET prices = '{"JPY": 21000, "KWD": 43125}' WHERE id = $1`, shoeID)
	buy := func(id, currency string) answer {
		return p.post("/orders", p.ingestKey, `{"id":"`+id+`","user_id":"u","currency":"`+currency+`","lines":[{"sku":"SHOE","quantity":2}]}`)
	}
	for currency, amount := range map[string]int{"EUR": 25800, "JPY": 42000, "KWD": 86250} {
		if a := buy("in "+currency, currency); a.status != http.StatusCreated || a.number("amount_minor") != amount || a.string("currency") != currency {
			t.Errorf("%s: %d %v, want %d", currency, a.status, a.object, amount)
		}
	}
	p.exec(`UPDATE catalog.products SET price_minor = 5000, prices = '{"JPY": 1000}' WHERE id = $1`, shoeID)
	for currency, amount := range map[string]int{"EUR": 10000, "JPY": 2000} {
		if a := buy("again in "+currency, currency); a.number("amount_minor") != amount {
			t.Errorf("%s after the change: %v, want %d", currency, a.object, amount)
		}
	}
	gone := buy("again in KWD", "KWD")
	if diff := cmp.Diff([]string{"/lines/0/amount_minor no_price"}, gone.problems()); diff != "" {
		t.Errorf("a price that is gone (-want +got):\n%s", diff)
	}
	purchase := p.post("/purchases", p.ingestKey, `{"sku":"SHOE","quantity":3,"user_id":"u","currency":"JPY"}`)
	if purchase.number("amount_minor") != 3000 || purchase.string("currency") != "JPY" {
		t.Errorf("a purchase in a further currency: %v", purchase.object)
	}
	free := p.post("/purchases", p.ingestKey, `{"sku":"SHOE","quantity":3,"user_id":"u","currency":"CHF","amount_minor":99}`)
	if free.status != http.StatusCreated || free.string("currency") != "CHF" {
		t.Errorf("a purchase for an amount of its own: %d %v", free.status, free.object)
	}
}

func TestPlaceholdersNeedAnAmount(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`UPDATE auth.api_keys SET unknown_products = 'create'`)
	order := func(id, amount string) answer {
		return p.post("/orders", p.ingestKey, `{"id":"`+id+`","user_id":"u","currency":"EUR","lines":[{"sku":"BANK CHARGES","quantity":1`+amount+`}]}`)
	}
	order("1", `,"amount_minor":500`).expect(t, http.StatusCreated, "")
	if diff := cmp.Diff([]string{"/lines/0/amount_minor no_price"}, order("2", "").problems()); diff != "" {
		t.Errorf("without an amount (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM catalog.products WHERE sku = 'BANK CHARGES' AND placeholder AND project = 1`); n != 1 {
		t.Errorf("%d placeholders, want 1", n)
	}
}

// TestGuestsBuyForThemselves: a user who is no member of the project buys at the price of the catalog, and its ids and keys are apart.
func TestGuestsBuyForThemselves(t *testing.T) {
	t.Parallel()
	p := start(t)
	alice, bob := p.auth.Token(authn.User, aliceID), p.auth.Token(authn.User, bobID)
	id := uuid.NewString()
	body := `{"id":"` + id + `","sku":"SHOE","quantity":1}`
	ids, own := map[string]bool{}, map[string]string{}
	for name, token := range map[string]string{"alice": alice, "bob": bob} {
		a := p.post("/purchases", token, body, "Idempotency-Key", "k")
		a.expect(t, http.StatusCreated, "")
		if a.header.Get("Idempotency-Replayed") != "" || a.string("number") != id {
			t.Errorf("%s: %v", name, a.object)
		}
		ids[a.string("id")], own[name] = true, a.string("id")
		for _, path := range []string{"/orders/" + id, "/orders/" + a.string("id")} {
			if got := p.get(path, token); got.string("id") != a.string("id") {
				t.Errorf("%s reads its own order by %s: %d %v", name, path, got.status, got.object)
			}
		}
	}
	key := p.post("/purchases", p.ingestKey, `{"user_id":"`+aliceID+`",`+body[1:], "Idempotency-Key", "k")
	key.expect(t, http.StatusCreated, "")
	ids[key.string("id")] = true
	if len(ids) != 3 || !ids[id] {
		t.Errorf("ids %v, want three with the one that the key sent", ids)
	}
	p.get("/orders/"+own["alice"], bob).expect(t, http.StatusNotFound, "not_found")
	p.post("/orders", alice, anOrder).expect(t, http.StatusForbidden, "forbidden")
	p.post("/orders/"+id+"/refunds", alice, `{"id":"r"}`).expect(t, http.StatusForbidden, "forbidden")
	p.exec(`UPDATE catalog.products SET placeholder = true WHERE id = $1`, hatID)
	if diff := cmp.Diff([]string{"/amount_minor no_price"}, p.post("/purchases", alice, `{"sku":"HAT","quantity":1,"amount_minor":0}`).problems()); diff != "" {
		t.Errorf("a product without a price (-want +got):\n%s", diff)
	}
}

// TestWhoReadsOrders: owners and analysts read all orders, viewers and guests their own.
func TestWhoReadsOrders(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	for role, want := range map[authn.Role]int{authn.Owner: 200, authn.Analyst: 200, authn.Viewer: 404, authn.User: 404} {
		if got := p.get("/orders/web-1001", p.auth.Token(role, uuid.NewString())); got.status != want {
			t.Errorf("%s: %d, want %d", role, got.status, want)
		}
	}
	viewer := uuid.NewString()
	own := p.post("/orders", p.auth.Token(authn.Viewer, viewer), `{"id":"web-1002","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`)
	own.expect(t, http.StatusCreated, "")
	if got := p.get("/orders/web-1002", p.auth.Token(authn.Viewer, viewer)); got.status != 200 || got.string("user_id") != viewer {
		t.Errorf("the buyer: %d %v", got.status, got.object)
	}
	p.get("/orders/web-1001", p.ingestKey).expect(t, http.StatusForbidden, "forbidden")
	p.get("/orders/nothing", p.apiKey("read")).expect(t, http.StatusNotFound, "not_found")
}

// TestProjectsShareNoOrders uses the same ids, users, SKUs and Idempotency-Keys in two projects.
func TestProjectsShareNoOrders(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`INSERT INTO auth.projects (slug, name, currency) VALUES ('second', 'Second', 'JPY')`)
	p.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES ($1, 2, 'SHOE', 'Shoe', 900, 'JPY')`, uuid.New())
	second := p.apiKey("ingest")
	p.exec(`UPDATE auth.api_keys SET project = 2 WHERE key_hash = $1`, authn.HashKey(second))
	body := `{"id":"` + uuid.NewString() + `","sku":"SHOE","quantity":2,"user_id":"customer-17"}`
	for i, want := range []struct {
		key      string
		amount   int
		currency string
	}{{p.ingestKey, 25800, "EUR"}, {second, 1800, "JPY"}} {
		a := p.post("/purchases", want.key, body, "Idempotency-Key", "k")
		if a.status != http.StatusCreated || a.header.Get("Idempotency-Replayed") != "" || a.number("amount_minor") != want.amount || a.string("currency") != want.currency {
			t.Errorf("project %d: %d %v", i+1, a.status, a.object)
		}
	}
	p.post("/orders", second, anOrder).expect(t, http.StatusUnprocessableEntity, "validation_failed") // there is no HAT
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	p.post("/orders/web-1001/refunds", second, `{"id":"r"}`).expect(t, http.StatusNotFound, "not_found")
	if n := p.count(`SELECT count(DISTINCT (o.project, o.user_n, b.id)) FROM ingest.orders o JOIN ingest.batches b ON b.id = o.batch AND b.project = o.project`); n != 3 {
		t.Errorf("%d orders in batches of their projects, want 3", n)
	}
}

// TestAClampedOrder is sent with a time far ahead.
func TestAClampedOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	a := p.post("/orders", p.ingestKey, fmt.Sprintf(`{"ts":"%s",%s`, time.Now().Add(3*time.Hour).UTC().Format(time.RFC3339), anOrder[1:]))
	a.expect(t, http.StatusCreated, "")
	warnings, _ := a.object["warnings"].([]any)
	if len(warnings) != 1 || warnings[0].(map[string]any)["code"] != "ts_clamped" {
		t.Errorf("warnings %v", a.object["warnings"])
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders WHERE ts <= now() AND properties ? '$ts_sent'`); n != 1 {
		t.Errorf("%d such orders, want 1", n)
	}
}
