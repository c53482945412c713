package stripe

import (
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// digits are the decimals of the currencies that do not have two in Stripe's API, which has its own opinion of some: it has two of ISK
// and UGX, and none of MGA (https://docs.stripe.com/currencies#zero-decimal).
var digits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
}

// minor returns an amount of Stripe's API in minor units of ISO 4217. The rules refuse an unknown currency.
func minor(d *event.FactDraft, code string, amount int64) int64 {
	currency, err := money.Parse(code)
	if err != nil {
		return amount
	}
	places, other := digits[code]
	if !other {
		places = 2
	}
	text := strconv.FormatInt(amount, 10)
	if places > 0 { // as a decimal: 1299 of EUR is 12.99
		sign := ""
		if amount < 0 {
			sign, text = "-", text[1:]
		}
		for len(text) <= places {
			text = "0" + text
		}
		text = sign + text[:len(text)-places] + "." + text[len(text)-places:]
	}
	n, err := webhook.Minor(text, 1, currency)
	if err != nil {
		d.Refuse("/amount", event.CodeInvalidValue, "amount "+err.Error()+".")
	}
	return n
}
