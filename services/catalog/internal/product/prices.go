package product

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The codes of currencies and prices that do not fit together.
const (
	unknownCurrency   = "unknown_currency"
	duplicateCurrency = "duplicate_currency"
	priceRequired     = "price_required"
)

// checkPrices adds what is wrong with the currencies and prices of c.
func (p *problems) checkPrices(c Content) {
	p.checkPrice("price_minor", c.PriceMinor)
	if _, err := money.Parse(c.Currency); err != nil {
		p.check(false, "currency", unknownCurrency, err.Error())
	}
	p.check(len(c.Prices) <= maxPrices, "prices", tooLong, fmt.Sprintf("must have at most %d members", maxPrices))
	if len(c.Prices) > maxPrices {
		return
	}
	for _, code := range slices.Sorted(maps.Keys(c.Prices)) {
		_, err := money.Parse(code)
		switch {
		case err != nil: // the answer does not repeat a name of any length
			p.check(false, "prices", unknownCurrency, "must have codes of currencies in ISO 4217 as names, in capitals: USD")
		case code == c.Currency:
			p.check(false, "prices/"+code, duplicateCurrency, "is the currency of price_minor, which has its price")
		default:
			p.checkPrice("prices/"+code, c.Prices[code])
		}
	}
}

func (p *problems) checkPrice(field string, minor int64) {
	p.check(minor >= 0, field, tooSmall, "must not be negative")
	p.check(minor <= maxPrice, field, tooLarge, fmt.Sprintf("must be at most %d", int64(maxPrice)))
}

// errPriceRequired is the error of a new currency for an old amount, which would be another price.
var errPriceRequired = func() error {
	const detail = "Another currency needs a price_minor in its minor units."
	return errs.New(errs.Invalid, priceRequired, detail, errs.Field{Pointer: "/price_minor", Code: priceRequired, Detail: detail})
}()

// mergePrices returns current with a merge patch: nil removes the price in a currency. The arguments stay as they are.
func mergePrices(current map[string]int64, patch map[string]*int64) map[string]int64 {
	merged := maps.Clone(current)
	if merged == nil {
		merged = make(map[string]int64, len(patch))
	}
	for code, minor := range patch {
		if minor == nil {
			delete(merged, code)
		} else {
			merged[code] = *minor
		}
	}
	return merged
}
