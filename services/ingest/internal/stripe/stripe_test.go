package stripe_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/stripe"
)

// FuzzParse checks that an event of any shape is an order, a refund, ignored or refused.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`{"type":"checkout.session.completed","created":1,"data":{"object":{"id":"cs_1","payment_status":"paid","amount_subtotal":100,"amount_total":90,"currency":"eur","total_details":{"amount_discount":10}}}}`,
		`{"type":"invoice.paid","created":1,"data":{"object":{"id":"in_1","total":100,"currency":"jpy","lines":{"has_more":true,"data":[{"amount":-50,"quantity":null},null,{"amount":60,"price":{"id":"p"}}]}}}}`,
		`{"type":"charge.refunded","created":1,"data":{"object":{"id":"ch_1","refunds":{"data":[{"id":"re_1","amount":-5,"currency":"kwd","payment_intent":{"id":"pi_1"}}]}}}}`,
		`{"type":"payment_intent.succeeded","created":-1,"data":{"object":[]}}`, `7`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := stripe.Parse(body)
		n := 0
		for _, one := range []bool{err != nil, got.Ignored != "", got.Order != nil, got.Refund != nil} {
			if one {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d outcomes: %+v, %v", n, got, err)
		}
	})
}

// FuzzVerify checks that no header that was not made with the secret fits.
func FuzzVerify(f *testing.F) {
	f.Add("t=1,v1=00", []byte("{}"))
	f.Add("t=1,v1=,v1=,v0=,", []byte(""))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if stripe.Verify("whsec_secret", header, body, time.Unix(1, 0)) == nil {
			t.Errorf("%q fits", header)
		}
	})
}
