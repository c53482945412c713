package ingest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// TestMoneyCases sends what shops really send, and says what each means.
func TestMoneyCases(t *testing.T) {
	t.Parallel()
	type request struct {
		path, body string
		status     int
		code       string
		replayed   bool
	}
	purchase := `"sku":"SHOE","quantity":1,"user_id":"u","amount_minor":`
	fourLines := `{"id":"C-536365","user_id":"17850","currency":"GBP","lines":[
		{"sku":"HAT","quantity":6,"amount_minor":1530},{"sku":"HAT","quantity":6,"amount_minor":1530},
		{"sku":"SHOE","quantity":8,"amount_minor":2200},{"sku":"SHOE","quantity":1,"amount_minor":0}]}`
	for name, tc := range map[string]struct {
		requests []request
		want     []string // what is stored: currency, paid, paid back, lines
	}{
		"one user pays in two currencies": {[]request{
			{"/purchases", `{"currency":"JPY",` + purchase + `50000}`, 201, "", false},
			{"/purchases", `{"currency":"EUR",` + purchase + `40000}`, 201, "", false},
		}, []string{"EUR 40000 0 1", "JPY 50000 0 1"}},
		"no currency": {[]request{
			{"/purchases", `{"currency":"ZZZ",` + purchase + `1}`, 422, "validation_failed", false},
			{"/purchases", `{"currency":"XXX",` + purchase + `1}`, 422, "validation_failed", false},
			{"/purchases", `{"currency":"eur",` + purchase + `1}`, 422, "validation_failed", false},
		}, nil},
		"three decimals and none": {[]request{
			{"/purchases", `{"currency":"KWD",` + purchase + `1250}`, 201, "", false}, // 1.250 dinars
			{"/purchases", `{"currency":"JPY",` + purchase + `1250}`, 201, "", false}, // 1250 yen
		}, []string{"JPY 1250 0 1", "KWD 1250 0 1"}},
		"one purchase, stamped again on each attempt": {[]request{
			{"/purchases", `{"id":"p","ts":"` + ago(3*time.Second) + `","currency":"EUR",` + purchase + `5}`, 201, "", false},
			{"/purchases", `{"id":"p","ts":"` + ago(2*time.Second) + `","currency":"EUR",` + purchase + `5}`, 201, "", true},
			{"/purchases", `{"id":"p","ts":"` + ago(time.Millisecond) + `","sent_at":"` + ago(0) + `","currency":"EUR",` + purchase + `5}`, 201, "", true},
			{"/purchases", `{"id":"p","currency":"EUR",` + purchase + `6}`, 409, "conflict", false},
		}, []string{"EUR 5 0 1"}},
		"one order of four lines, sent twice": {[]request{
			{"/orders", fourLines, 201, "", false}, {"/orders", fourLines, 201, "", true},
		}, []string{"GBP 5260 0 4"}},
		"an order is a purchase of the same id": {[]request{
			{"/purchases", `{"id":"p","currency":"EUR",` + purchase + `5}`, 201, "", false},
			{"/orders", `{"id":"p","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1,"amount_minor":5}]}`, 201, "", true},
			{"/orders/p/refunds", `{"id":"p"}`, 201, "", false}, // ids of refunds are their own
		}, []string{"EUR 5 5 1"}},
		"2 of 3 units come back": {[]request{
			{"/orders", `{"id":"o","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":3,"amount_minor":1000}]}`, 201, "", false},
			{"/orders/o/refunds", `{"id":"r","lines":[{"sku":"SHOE","quantity":2}]}`, 201, "", false},
			{"/orders/o/refunds", `{"id":"r","lines":[{"sku":"SHOE","quantity":2}],"ts":"` + ago(0) + `"}`, 201, "", true},
			{"/orders/o/refunds", `{"id":"r2","lines":[{"sku":"SHOE","quantity":2}]}`, 422, "refund_too_large", false},
		}, []string{"EUR 1000 666 1"}},
		"an order is cancelled": {[]request{
			{"/orders", fourLines, 201, "", false}, {"/orders/C-536365/refunds", `{"id":"C-536366"}`, 201, "", false},
		}, []string{"GBP 5260 5260 4"}},
		"more is paid back than was paid": {[]request{
			{"/orders", fourLines, 201, "", false}, {"/orders/C-536365/refunds", `{"id":"r","amount_minor":5261}`, 422, "refund_too_large", false},
			{"/orders/C-536365/refunds", `{"id":"r","amount_minor":5260}`, 201, "", false},
			{"/orders/C-536365/refunds", `{"id":"r2","amount_minor":1}`, 422, "refund_too_large", false},
		}, []string{"GBP 5260 5260 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			for i, r := range tc.requests {
				a := p.post(r.path, p.ingestKey, r.body)
				if a.status != r.status || a.string("code") != r.code || (a.header.Get("Idempotency-Replayed") == "true") != r.replayed {
					t.Errorf("request %d: %d %v, replayed %q; want %+v", i, a.status, a.object, a.header.Get("Idempotency-Replayed"), r)
				}
			}
			rows, err := p.db.Query(t.Context(), `SELECT o.currency || ' ' || sum(amount_minor) || ' ' || sum(refunded_minor) || ' ' || o.lines
				FROM ingest.orders o JOIN ingest.order_lines l ON l.order_id = o.id GROUP BY o.id, o.currency, o.lines ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var stored []string
			for rows.Next() {
				var row string
				if err := rows.Scan(&row); err != nil {
					t.Fatal(err)
				}
				stored = append(stored, row)
			}
			if diff := cmp.Diff(tc.want, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAKeyAndAStamp: a client that stamps each attempt anew sends the same request.
func TestAKeyAndAStamp(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := p.post("/purchases", p.ingestKey, `{"ts":"`+ago(time.Second)+`",`+twoShoes[1:], "Idempotency-Key", "k")
	again := p.post("/purchases", p.ingestKey, `{"ts":"`+ago(0)+`",`+twoShoes[1:], "Idempotency-Key", "k")
	if diff := cmp.Diff(first.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("another ts (-first +again):\n%s", diff)
	}
}

// TestIDsOfOrdersAreAnyText: each order is found again by its own id in the path.
func TestIDsOfOrdersAreAnyText(t *testing.T) {
	t.Parallel()
	p := start(t)
	read := p.apiKey("read")
	for _, id := range []string{"#1001", "a/b", "100%", "größe 42", "注文-1", "a?b=c", "..", "01ARZ3NDEKTSV4RRFFQ69G5FAV", strings.Repeat("ö", 200)} {
		body := fmt.Sprintf(`{"id":%q,"user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`, id)
		a := p.post("/orders", p.ingestKey, body)
		a.expect(t, http.StatusCreated, "")
		if a.string("number") != id {
			t.Errorf("%q has the number %q", id, a.string("number"))
		}
		if id == ".." {
			continue // no path can have it; its UUID can
		}
		if got := p.get("/orders/"+url.PathEscape(id), read); got.string("id") != a.string("id") {
			t.Errorf("%q is found as %d %v", id, got.status, got.object)
		}
	}
	p.post("/orders", p.ingestKey, `{"id":"`+strings.Repeat("x", 201)+`","user_id":"u","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`).
		expect(t, http.StatusUnprocessableEntity, "validation_failed")
}

// TestOrdersOfVisitors: an order with both ids joins them, and later ones with the anonymous id alone are the user's. Retries of all
// are recognized, and answered in the same way.
func TestOrdersOfVisitors(t *testing.T) {
	t.Parallel()
	p := start(t)
	order := func(id, who string) string {
		return `{"id":"` + id + `",` + who + `,"currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`
	}
	for i, step := range []struct{ who, user, anonymous string }{
		{`"anonymous_id":"v"`, "", "v"}, {`"anonymous_id":"v","user_id":"u"`, "u", ""}, {`"anonymous_id":"v"`, "u", ""}, {`"user_id":"v"`, "v", ""},
	} {
		body := order(strconv.Itoa(i), step.who)
		first, again := p.post("/orders", p.ingestKey, body), p.post("/orders", p.ingestKey, body)
		first.expect(t, http.StatusCreated, "")
		if first.string("user_id") != step.user || first.string("anonymous_id") != step.anonymous {
			t.Errorf("%s: %v", step.who, first.object)
		}
		if diff := cmp.Diff(first.object, again.object); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s again (-first +again):\n%s", step.who, diff)
		}
	}
	if n := p.count(`SELECT count(DISTINCT user_n) FROM ingest.orders`); n != 3 {
		t.Errorf("%d users bought, want the visitor, u and v", n)
	}
	p.post("/orders", p.auth.Token(authn.Analyst, aliceID), order("own", `"user_id":"u"`)).expect(t, http.StatusUnprocessableEntity, "validation_failed")
}
