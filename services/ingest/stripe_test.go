package ingest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

const stripeSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func stripeSignature(secret, body string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return hex.EncodeToString(mac.Sum(nil))
}

func stripeHeader(body string, at time.Time) []string {
	return []string{"Stripe-Signature", fmt.Sprintf("t=%d,v1=%s,v0=%064d", at.Unix(), stripeSignature(stripeSecret, body, at), 0)}
}

// stripe sends a webhook as Stripe does.
func (p *platform) stripe(key, kind, object string) answer {
	p.t.Helper()
	body := fmt.Sprintf(`{"id":"evt_%d","object":"event","api_version":"2025-09-30","created":%d,"livemode":false,"type":%q,"data":{"object":%s}}`,
		time.Now().UnixNano(), time.Now().Unix(), kind, object)
	return p.post("/hooks/stripe/"+key, "", body, stripeHeader(body, time.Now())...)
}

// A payment is one order whichever of its events come, in the units of ISO 4217, and its refunds are of it.
func TestStripePayment(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Stripe, stripeSecret)
	session := `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":%q,"invoice":null,"payment_intent":"pi_1","customer":"cus_1","client_reference_id":"ada",
		"currency":"eur","amount_subtotal":5000,"amount_total":5499,"total_details":{"amount_discount":500,"amount_shipping":499,"amount_tax":500},"metadata":{"sku":"SHOE","quantity":"2"}}`
	refundOf := func(payment string, at time.Duration) string {
		return fmt.Sprintf(`{"id":"re_1","object":"refund","amount":1500,"currency":"eur","charge":"ch_1","payment_intent":%q,"created":%d,"status":"succeeded","reason":null,"metadata":{"sku":"SHOE"}}`,
			payment, time.Now().Add(-at).Unix())
	}
	refund := refundOf("pi_1", time.Second)
	p.stripe(key, "refund.created", refund).expect(t, http.StatusConflict, "order_to_come")
	p.stripe(key, "checkout.session.completed", fmt.Sprintf(session, "unpaid")).result(t, "ignored")
	p.stripe(key, "checkout.session.async_payment_succeeded", fmt.Sprintf(session, "paid")).result(t, "stored")
	p.stripe(key, "checkout.session.completed", fmt.Sprintf(session, "paid")).result(t, "replayed")
	p.stripe(key, "payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent","amount":5499,"amount_received":5499,"currency":"eur","customer":"cus_1","metadata":{}}`).result(t, "replayed")
	p.stripe(key, "charge.succeeded", `{"id":"ch_1","object":"charge","amount":5499,"currency":"eur","payment_intent":{"id":"pi_1","object":"payment_intent"},"metadata":{}}`).result(t, "replayed")
	p.stripe(key, "refund.created", refund).result(t, "stored")
	p.stripe(key, "refund.created", refund).result(t, "replayed")
	p.stripe(key, "charge.refunded", `{"id":"ch_1","currency":"eur","payment_intent":"pi_1","refunds":{"data":[`+refund+`]}}`).result(t, "replayed")
	p.stripe(key, "charge.refunded", `{"id":"ch_1","currency":"eur","payment_intent":"pi_1"}`).result(t, "ignored")
	p.stripe(key, "refund.created", strings.NewReplacer("re_1", "re_2", "1500", "99999").Replace(refund)).result(t, "stored") // with shipping and taxes
	p.stripe(key, "refund.created", strings.NewReplacer("re_1", "re_3", "succeeded", "failed").Replace(refund)).result(t, "ignored")
	p.stripe(key, "customer.created", `{"id":"cus_1"}`).result(t, "ignored")
	o := p.get("/orders/pi_1", p.apiKey("read"))
	if o.string("currency") != "EUR" || o.number("amount_minor") != 4500 || o.number("refunded_minor") != 4500 || o.string("user_id") != "ada" {
		t.Errorf("the order is %v", o.object)
	}
	p.stripe(key, "checkout.session.completed", strings.NewReplacer("cs_1", "cs_2", "pi_1", "pi_2").Replace(fmt.Sprintf(session, "paid"))).result(t, "stored")
	whole := strings.NewReplacer("re_1", "re_5", "1500", "4500").Replace(refundOf("pi_2", time.Second))
	p.stripe(key, "refund.created", whole).result(t, "stored")
	p.stripe(key, "refund.created", whole).result(t, "replayed")
	if lines := fmt.Sprint(p.get("/orders/pi_2", p.apiKey("read")).object["lines"]); !strings.Contains(lines, "left_minor:0") || !strings.Contains(lines, "left_quantity:0") {
		t.Errorf("a whole refund leaves %s", lines)
	}
	old := strings.Replace(refundOf("pi_0", 2*time.Hour), "re_1", "re_4", 1)
	p.stripe(key, "refund.created", old).result(t, "stored")
	if n := p.count(`SELECT sum(amount_minor) FROM ingest.refund_lines`); n != 2*4500+1500 {
		t.Errorf("%d is paid back, want 10500", n)
	}
}

// What is only authorized is no revenue: a charge counts with what is captured of it.
func TestStripeCapture(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Stripe, stripeSecret)
	charge := `{"id":%q,"object":"charge","amount":5000,"amount_captured":%d,"captured":%t,"currency":"eur","payment_intent":%q,"metadata":{}}`
	p.stripe(key, "charge.succeeded", fmt.Sprintf(charge, "ch_1", 0, false, "pi_1")).result(t, "ignored")
	p.stripe(key, "charge.captured", fmt.Sprintf(charge, "ch_1", 1200, true, "pi_1")).result(t, "stored")
	p.stripe(key, "charge.succeeded", fmt.Sprintf(charge, "ch_2", 5000, true, "pi_2")).result(t, "stored")
	p.stripe(key, "payment_intent.succeeded", `{"id":"pi_3","amount":5000,"amount_received":700,"currency":"eur","metadata":{}}`).result(t, "stored")
	for id, want := range map[string]int{"pi_1": 1200, "pi_2": 5000, "pi_3": 700} {
		if o := p.get("/orders/"+id, p.apiKey("read")); o.number("amount_minor") != want {
			t.Errorf("%s: %v, want %d", id, o.object, want)
		}
	}
}

// Amounts are those of the currency in ISO 4217, and not of Stripe's units.
func TestStripeCurrencies(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Stripe, stripeSecret)
	for code, c := range map[string][2]int{"usd": {1299, 1299}, "jpy": {500, 500}, "isk": {50000, 500}, "ugx": {1000, 10}, "mga": {25, 2500}, "kwd": {1230, 1230}, "eur": {5, 5}} {
		p.stripe(key, "payment_intent.succeeded", fmt.Sprintf(`{"id":"pi_%s","amount":%d,"currency":%q,"metadata":{}}`, code, c[0], code)).result(t, "stored")
		if o := p.get("/orders/pi_"+code, p.apiKey("read")); o.number("amount_minor") != c[1] || o.string("anonymous_id") != "order:pi_"+code {
			t.Errorf("%s: %v, want %d", code, o.object, c[1])
		}
	}
	p.stripe(key, "payment_intent.succeeded", `{"id":"pi_x","amount":1,"currency":"zzz"}`).result(t, "refused")
	p.stripe(key, "payment_intent.succeeded", `{"amount":1,"currency":"eur"}`).result(t, "refused")
}

// An invoice is an order of its lines: credits are taken off, and what the event does not carry is one line.
func TestStripeInvoice(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Stripe, stripeSecret)
	line := func(amount int, product, rest string) string {
		return fmt.Sprintf(`{"id":"il_1","amount":%d,"quantity":1,"pricing":{"price_details":{"price":"price_1","product":%q}},"metadata":{}%s}`, amount, product, rest)
	}
	invoice := `{"id":"in_1","customer":"cus_1","currency":"eur","total":%d,"total_excluding_tax":%d,"metadata":{},"lines":{"has_more":%t,"data":[%s]}}`
	lines := line(-1000, "prod_old", "") + "," + line(3000, "prod_new", `,"discount_amounts":[{"amount":300}]`) + "," + `{"amount":500,"quantity":5,"price":{"id":"price_2","product":"prod_seat"},"metadata":{"sku":"SEAT"}}`
	p.stripe(key, "invoice.paid", fmt.Sprintf(invoice, 3570, 3000, true, lines)).result(t, "stored")
	p.stripe(key, "invoice.paid", fmt.Sprintf(invoice, 3570, 3000, true, lines)).result(t, "replayed")
	p.stripe(key, "invoice.paid", fmt.Sprintf(invoice, 0, 0, false, line(0, "prod_trial", ""))).result(t, "ignored")
	p.stripe(key, "checkout.session.completed", `{"id":"cs_2","mode":"subscription","payment_status":"paid","invoice":"in_1","amount_total":3570,"currency":"eur"}`).result(t, "ignored")
	o := p.get("/orders/in_1", p.apiKey("read"))
	if o.number("amount_minor") != 3000 || o.string("user_id") != "cus_1" {
		t.Errorf("the order is %v", o.object)
	}
	got := fmt.Sprint(o.object["lines"])
	for _, want := range []string{"amount_minor:1700", "sku:prod_new", "sku:SEAT", "quantity:5", "amount_minor:800", "sku:stripe-other-lines"} {
		if !strings.Contains(got, want) {
			t.Errorf("the lines lack %s: %s", want, got)
		}
	}
}

// What the event does not carry of an invoice is what is left of its total without the taxes on top: a line, or credits.
func TestStripeOtherLines(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.hookKey(1, authn.Stripe, stripeSecret)
	for i, tc := range []struct {
		total string
		want  int
		other bool
	}{
		{`"total":700,"total_excluding_tax":700`, 700, false},
		{`"total":1190,"total_excluding_tax":1000,"total_taxes":[{"amount":190,"tax_behavior":"inclusive"}]`, 1190, true},
		{`"total":1190,"total_excluding_tax":1000,"total_tax_amounts":[{"amount":190,"inclusive":true}]`, 1190, true},
		{`"total":1428,"total_excluding_tax":1200,"total_taxes":[{"amount":228,"tax_behavior":"exclusive"}]`, 1200, true},
		{`"total":1428,"total_excluding_tax":1200,"total_tax_amounts":[{"amount":228,"inclusive":false}]`, 1200, true},
		{`"total":1000,"total_excluding_tax":840,"total_taxes":[{"amount":160,"tax_behavior":"inclusive"}]`, 1000, false},
	} {
		p.stripe(key, "invoice.paid", fmt.Sprintf(`{"id":"in_%d","currency":"eur",%s,"lines":{"has_more":true,"data":[{"amount":1000}]}}`, i, tc.total)).result(t, "stored")
		o := p.get(fmt.Sprintf("/orders/in_%d", i), p.apiKey("read"))
		if other := strings.Contains(fmt.Sprint(o.object), "stripe-other-lines"); o.number("amount_minor") != tc.want || other != tc.other {
			t.Errorf("%s: %v, want %d, other lines: %t", tc.total, o.object, tc.want, tc.other)
		}
	}
}

// Only what Stripe signed within five minutes is taken; one of several signatures is enough.
func TestStripeSignatures(t *testing.T) {
	t.Parallel()
	p := start(t)
	key, now := p.hookKey(1, authn.Stripe, stripeSecret), time.Now()
	body := fmt.Sprintf(`{"id":"evt_1","created":%d,"type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount":100,"currency":"eur"}}}`, now.Unix())
	send := func(header string) answer {
		return p.post("/hooks/stripe/"+key, "", body, "Stripe-Signature", header)
	}
	good, other := stripeSignature(stripeSecret, body, now), stripeSignature("whsec_other", body, now)
	for _, header := range []string{
		"", "t=", "v1=" + good, fmt.Sprintf("t=%d,v1=%s", now.Unix(), other), fmt.Sprintf("t=%d,v0=%s", now.Unix(), good), fmt.Sprintf("t=%d,v1=zz", now.Unix()),
		fmt.Sprintf("t=%d,v1=%s", now.Unix()+1, good), fmt.Sprintf("t=%d"+strings.Repeat(",v1="+other, 10)+",v1=%s", now.Unix(), good),
	} {
		send(header).expect(t, http.StatusUnauthorized, "invalid_signature")
	}
	old := now.Add(-6 * time.Minute)
	send(fmt.Sprintf("t=%d,v1=%s", old.Unix(), stripeSignature(stripeSecret, body, old))).expect(t, http.StatusUnauthorized, "signature_too_old")
	if n := p.count(`SELECT count(*) FROM ingest.orders`); n != 0 {
		t.Errorf("%d orders are stored", n)
	}
	send(fmt.Sprintf("t=%d,v1=%s,v1=%s", now.Unix(), other, good)).result(t, "stored")
	send(fmt.Sprintf("t=%d, v1=%s", now.Unix(), good)).result(t, "replayed")
	p.post("/hooks/stripe/"+p.hookKey(1, authn.Shopify, stripeSecret), "", body, stripeHeader(body, now)...).expect(t, http.StatusForbidden, "forbidden")
	for _, wrong := range []string{`[]`, `{"type":"invoice.paid"}`, `{"type":"invoice.paid","created":1,"data":{"object":[]}}`, `{"type":"invoice.paid","created":1,"data":{"object":{"lines":7}}}`} {
		p.post("/hooks/stripe/"+key, "", wrong, stripeHeader(wrong, now)...).expect(t, http.StatusBadRequest, "malformed_json")
	}
	large := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	p.post("/hooks/stripe/"+key, "", large, stripeHeader(large, now)...).expect(t, http.StatusRequestEntityTooLarge, "body_too_large")
	read := p.apiKey("read")
	platformtest.Eventually(t, time.Minute, "the refusals have the old signature", func() bool {
		return strings.Contains(fmt.Sprint(p.get("/rejections", read).object), "signature_too_old")
	})
}
