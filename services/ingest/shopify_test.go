package ingest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

const hookSecret = "shpss_0123456789abcdef"

// hookKey makes the key of the address of webhooks of a project; an empty secret is not set yet.
func (p *platform) hookKey(project int16, service, secret string) string {
	p.t.Helper()
	key := authn.NewHookKey()
	p.exec(`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes, kind, signing_secret, unknown_products)
		VALUES ($1, $2, 'shop', $3, 'hpc_test', '{ingest}', $4, $5, 'create')`, uuid.New(), project, authn.HashKey(key), service, secret)
	return key
}

func shopifySignature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// shopify sends a webhook as Shopify does.
func (p *platform) shopify(key, topic, body string, header ...string) answer {
	p.t.Helper()
	return p.post("/hooks/shopify/"+key, "", body, append([]string{"X-Shopify-Topic", topic, "X-Shopify-Hmac-Sha256", shopifySignature(hookSecret, body)}, header...)...)
}

// result checks what became of a webhook.
func (a answer) result(t *testing.T, want string) {
	t.Helper()
	a.expect(t, http.StatusOK, "")
	if got := a.string("result"); got != want {
		t.Errorf("the result is %s (%s), want %s", got, a.string("detail"), want)
	}
}

// shopOrder is an order as Shopify sends it: two shoes at 129.90 less 10 and 4.90 off the whole order, and an item without a SKU.
func shopOrder(id, status, rest string) string {
	return fmt.Sprintf(`{"id":%s,"admin_graphql_api_id":"gid://shopify/Order/%s","name":"#1001","test":false,"currency":"EUR","presentment_currency":"USD",
		"created_at":%q,"processed_at":%q,"cancelled_at":null,"financial_status":%q,"source_name":"web","total_price":"260.10","taxes_included":true,
		"customer":{"id":115310627314723954,"email":"ada@example.com"},"line_items":[
			{"id":866550311766439020,"sku":"SHOE-42","variant_id":808950810,"product_id":632910392,"quantity":2,"current_quantity":2,"price":"129.90",
			 "price_set":{"shop_money":{"amount":"129.90","currency_code":"EUR"},"presentment_money":{"amount":"141.20","currency_code":"USD"}},
			 "discount_allocations":[{"amount":"10.00","amount_set":{"shop_money":{"amount":"10.00","currency_code":"EUR"},"presentment_money":{"amount":"10.87","currency_code":"USD"}}},
				{"amount":"4.90","amount_set":{"shop_money":{"amount":"4.90","currency_code":"EUR"}}}]},
			{"id":141249953214522974,"sku":"","variant_id":39072856,"product_id":921728736,"quantity":1,"price":"15.20","discount_allocations":[]},
			{"id":3,"sku":null,"variant_id":null,"product_id":null,"title":"Engraving","quantity":1,"price":0}]%s}`,
		id, id, ago(time.Minute), ago(time.Minute), status, rest)
}

// shopRefund is a refund of one shoe and of nothing else.
func shopRefund(id, orderID string, at time.Duration) string {
	return fmt.Sprintf(`{"id":%s,"order_id":%s,"created_at":%q,"note":"too small","user_id":799407056,"refund_line_items":[
		{"id":104689539,"line_item_id":866550311766439020,"quantity":1,"restock_type":"return","subtotal":122.45,
		 "subtotal_set":{"shop_money":{"amount":"122.45","currency_code":"EUR"},"presentment_money":{"amount":"133.10","currency_code":"USD"}},
		 "line_item":{"id":866550311766439020,"sku":"SHOE-42","variant_id":808950810,"quantity":2,"price":"129.90"}}],
		"order_adjustments":[{"kind":"shipping_refund","amount":"-5.00"}],"transactions":[{"kind":"refund","status":"success","amount":"127.45","currency":"EUR"}]}`,
		id, orderID, ago(at))
}

// An order counts once, whichever of its webhooks comes first and however often; its amounts are the shop's after discounts.
func TestShopifyOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Shopify, hookSecret)
	p.shopify(key, "orders/create", shopOrder("820982911946154508", "pending", "")).result(t, "stored")
	p.shopify(key, "orders/create", shopOrder("820982911946154508", "pending", "")).result(t, "replayed")
	p.shopify(key, "orders/paid", shopOrder("820982911946154508", "paid", "")).result(t, "replayed")
	changed := strings.Replace(shopOrder("820982911946154508", "paid", ""), "115310627314723954", "5", 1)
	p.shopify(key, "orders/paid", changed).result(t, "replayed")
	p.shopify(key, "refunds/create", shopRefund("509562969", "820982911946154508", time.Second)).result(t, "stored")
	p.shopify(key, "refunds/create", shopRefund("509562969", "820982911946154508", time.Second)).result(t, "replayed")

	o := p.get("/orders/820982911946154508", p.apiKey("read"))
	o.expect(t, http.StatusOK, "")
	if o.string("currency") != "EUR" || o.number("amount_minor") != 24490+1520 || o.number("refunded_minor") != 12245 || o.string("user_id") != "115310627314723954" {
		t.Errorf("the order is %v", o.object)
	}
	lines := fmt.Sprint(o.object["lines"])
	for _, want := range []string{"sku:SHOE-42", "sku:39072856", "sku:shopify-custom-item", "refunded_quantity:1"} {
		if !strings.Contains(lines, want) {
			t.Errorf("the lines lack %s: %s", want, lines)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders`) + 10*p.count(`SELECT count(*) FROM ingest.refunds`); n != 11 {
		t.Errorf("orders and refunds: %d, want one of each", n)
	}
}

// A refund that overtakes its order is sent back, and stored without it when the order does not come.
func TestShopifyRefundBeforeItsOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Shopify, hookSecret)
	soon := shopRefund("1", "77", time.Minute)
	p.shopify(key, "refunds/create", soon).expect(t, http.StatusConflict, "order_to_come")
	p.shopify(key, "orders/paid", shopOrder("77", "paid", "")).result(t, "stored")
	p.shopify(key, "refunds/create", soon).result(t, "stored")

	late := shopRefund("2", "78", 2*time.Hour)
	p.shopify(key, "refunds/create", late).result(t, "stored")
	p.shopify(key, "refunds/create", late).result(t, "replayed")
	p.shopify(key, "orders/paid", shopOrder("78", "paid", "")).result(t, "stored")
	p.shopify(key, "refunds/create", late).result(t, "replayed")
	if n := p.count(`SELECT sum(amount_minor) FROM ingest.refund_lines`); n != 2*12245 {
		t.Errorf("%d is paid back, want two refunds", n)
	}
}

// What an order does not hold is not paid back twice: an amount without lines, more than is left, shipping alone.
func TestShopifyAmounts(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Shopify, hookSecret)
	p.shopify(key, "orders/paid", shopOrder("77", "paid", "")).result(t, "stored")
	send := func(id, rest, want string) {
		t.Helper()
		p.shopify(key, "refunds/create", fmt.Sprintf(`{"id":%s,"order_id":77,"created_at":%q,%s,"transactions":[{"currency":"EUR"}]}`, id, ago(time.Second), rest)).result(t, want)
	}
	left := func(want int) {
		t.Helper()
		o := p.get("/orders/77", p.apiKey("read"))
		if got := o.number("amount_minor") - o.number("refunded_minor"); got != want {
			t.Errorf("%d is left, want %d", got, want)
		}
	}
	send("1", `"refund_line_items":[],"order_adjustments":[{"kind":"shipping_refund","amount":"-5.00"}]`, "ignored")
	left(26010)
	send("2", `"refund_line_items":[],"order_adjustments":[{"kind":"refund_discrepancy","amount":"-10.10"}]`, "stored")
	left(25000)
	item := `"refund_line_items":[{"quantity":1,"subtotal":%s,"line_item":{"sku":"","variant_id":39072856}}]`
	send("3", fmt.Sprintf(item, "15.20")+`,"order_adjustments":[{"kind":"refund_discrepancy","amount":"5.20"}]`, "stored") // a fee is kept
	left(24000)
	send("4", `"refund_line_items":[],"order_adjustments":[{"kind":"refund_discrepancy","amount":"-9999.00"}]`, "stored")
	left(0)
	send("4", `"refund_line_items":[],"order_adjustments":[{"kind":"refund_discrepancy","amount":"-9999.00"}]`, "replayed")
	send("5", fmt.Sprintf(item, "1"), "refused")
}

// An edited order is the one that was paid first: of a refund of more, or of what was added, the part that it has comes back.
func TestShopifyRefundAfterEdit(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Shopify, hookSecret)
	shoe := `{"quantity":%d,"subtotal":%q,"line_item":{"sku":"SHOE-42"}}`
	plain := `{"quantity":1,"subtotal":"15.20","line_item":{"variant_id":39072856}}`
	for i, tc := range []struct {
		lines, adjustment, want string
		units, amount           int // that are left, of 4 and 26010
	}{
		{fmt.Sprintf(shoe, 3, "367.35"), "0", "stored", 2, 1520},
		{fmt.Sprintf(shoe, 3, "200.00"), "0", "stored", 2, 6010},
		{fmt.Sprintf(shoe, 1, "122.45") + `,{"quantity":1,"subtotal":"9.00","line_item":{"sku":"ADDED"}}`, "0", "stored", 3, 13765},
		{`{"quantity":1,"subtotal":"9.00","line_item":{"sku":"ADDED"}}`, "0", "refused", 4, 26010},
		{fmt.Sprintf(shoe, 1, "122.45") + "," + plain, "-7.55", "stored", 2, 11490}, // nothing is left of the last line: the first takes it
		{fmt.Sprintf(shoe, 2, "244.90") + "," + plain, "-7.55", "stored", 1, 0},
	} {
		id := strconv.Itoa(100 + i)
		p.shopify(key, "orders/paid", shopOrder(id, "paid", "")).result(t, "stored")
		refund := fmt.Sprintf(`{"id":%s,"order_id":%s,"created_at":%q,"refund_line_items":[%s],"order_adjustments":[{"kind":"refund_discrepancy","amount":%q}],"transactions":[{"currency":"EUR"}]}`,
			id, id, ago(time.Second), tc.lines, tc.adjustment)
		p.shopify(key, "refunds/create", refund).result(t, tc.want)
		if tc.want == "stored" {
			p.shopify(key, "refunds/create", refund).result(t, "replayed")
		}
		o := p.get("/orders/"+id, p.apiKey("read"))
		units := 0
		for _, l := range o.object["lines"].([]any) {
			units += int(l.(map[string]any)["left_quantity"].(float64))
		}
		if left := o.number("amount_minor") - o.number("refunded_minor"); left != tc.amount || units != tc.units {
			t.Errorf("a refund of %s with %s leaves %d units and %d, want %d and %d", tc.lines, tc.adjustment, units, left, tc.units, tc.amount)
		}
	}
}

// A cancelled order that was never paid is given back; what was paid comes back by refunds only.
func TestShopifyCancellation(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Shopify, hookSecret)
	cancelled := func(id, status string, at time.Duration) string {
		return strings.Replace(shopOrder(id, status, ""), `"cancelled_at":null`, fmt.Sprintf(`"cancelled_at":%q`, ago(at)), 1)
	}
	p.shopify(key, "orders/cancelled", cancelled("1", "voided", time.Second)).expect(t, http.StatusConflict, "order_to_come")
	p.shopify(key, "orders/create", shopOrder("1", "pending", "")).result(t, "stored")
	p.shopify(key, "orders/cancelled", shopOrder("1", "pending", "")).result(t, "ignored") // its body says that it is not
	p.shopify(key, "orders/cancelled", cancelled("1", "voided", time.Second)).result(t, "stored")
	p.shopify(key, "orders/cancelled", cancelled("1", "voided", time.Second)).result(t, "replayed")
	if o := p.get("/orders/1", p.apiKey("read")); o.number("amount_minor") != o.number("refunded_minor") {
		t.Errorf("something is left of %v", o.object)
	}
	p.shopify(key, "orders/paid", shopOrder("2", "paid", "")).result(t, "stored")
	p.shopify(key, "orders/cancelled", cancelled("2", "paid", time.Second)).result(t, "ignored")
	p.shopify(key, "orders/cancelled", cancelled("3", "voided", 2*time.Hour)).result(t, "ignored")
	p.shopify(key, "orders/create", cancelled("3", "voided", 2*time.Hour)).result(t, "ignored")
}

// Only what the shop signed is taken, at its own address.
func TestShopifySignatures(t *testing.T) {
	t.Parallel()
	p := start(t)
	key, body := p.hookKey(1, authn.Shopify, hookSecret), shopOrder("1", "paid", "")
	signed := []string{"X-Shopify-Topic", "orders/paid", "X-Shopify-Hmac-Sha256", shopifySignature(hookSecret, body)}
	p.post("/hooks/shopify/"+key, "", body).expect(t, http.StatusUnauthorized, "invalid_signature")
	p.post("/hooks/shopify/"+key, "", body+" ", signed...).expect(t, http.StatusUnauthorized, "invalid_signature")
	p.post("/hooks/shopify/"+key, "", body, "X-Shopify-Hmac-Sha256", shopifySignature("another", body)).expect(t, http.StatusUnauthorized, "invalid_signature")
	p.post("/hooks/shopify/"+key, "", body, "X-Shopify-Hmac-Sha256", "***").expect(t, http.StatusUnauthorized, "invalid_signature")
	p.post("/hooks/shopify/"+p.hookKey(1, authn.Shopify, ""), "", body, signed...).expect(t, http.StatusServiceUnavailable, "signing_secret_missing")
	p.post("/hooks/shopify/"+p.hookKey(1, authn.Stripe, hookSecret), "", body, signed...).expect(t, http.StatusForbidden, "forbidden")
	p.post("/hooks/shopify/"+authn.NewHookKey(), "", body, signed...).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/hooks/shopify/"+p.ingestKey, "", body, signed...).expect(t, http.StatusForbidden, "forbidden")
	revoked := p.hookKey(1, authn.Shopify, hookSecret)
	p.exec(`UPDATE auth.api_keys SET revoked_at = now() WHERE key_hash = $1`, authn.HashKey(revoked))
	p.post("/hooks/shopify/"+revoked, "", body, signed...).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/orders", key, `{}`).expect(t, http.StatusForbidden, "forbidden")
	p.get("/events", key).expect(t, http.StatusForbidden, "forbidden")
	p.get("/rejections", key).expect(t, http.StatusForbidden, "forbidden")
	p.shopify(key, "orders/paid", `{"id":1,`).expect(t, http.StatusBadRequest, "malformed_json")
	p.shopify(key, "orders/paid", `{"x":"`+strings.Repeat("x", 5<<20)+`"}`).expect(t, http.StatusRequestEntityTooLarge, "body_too_large")
	p.shopify(key, "orders/paid", `<order/>`, "Content-Type", "application/xml").expect(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
	p.shopify(key, "products/update", `{"id":1}`).result(t, "ignored")
	p.shopify(key, "orders/paid", shopOrder("2", "paid", ""), "X-Shopify-Test", "true").result(t, "ignored")
	p.shopify(key, "orders/paid", strings.Replace(body, `"test":false`, `"test":true`, 1)).result(t, "ignored")
	p.shopify(key, "refunds/create", body).result(t, "refused") // another topic than the one of the body
	p.shopify(key, "orders/paid", `{}`).result(t, "refused")
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 0 {
		t.Errorf("%d orders are stored", n)
	}
	if n := p.count(`SELECT count(*) FROM auth.api_keys WHERE last_used_at IS NOT NULL AND key_hash = $1`, authn.HashKey(key)); n != 1 {
		t.Error("the use of the key is not recorded")
	}
	read := p.apiKey("read")
	for _, code := range []string{"invalid_signature", "signing_secret_missing", "malformed_json", "required"} {
		platformtest.Eventually(t, time.Minute, "the refusals have "+code, func() bool {
			return strings.Contains(fmt.Sprint(p.get("/rejections", read).object), code)
		})
	}
}

// The same order of two projects is two orders.
func TestShopifyProjects(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`INSERT INTO auth.projects (id, slug, name) OVERRIDING SYSTEM VALUE VALUES (2, 'second', 'Second')`)
	for _, project := range []int16{1, 2} {
		p.shopify(p.hookKey(project, authn.Shopify, hookSecret), "orders/paid", shopOrder("1", "paid", "")).result(t, "stored")
	}
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 2 {
		t.Errorf("%d orders, want one of each project", n)
	}
}
