// Package money knows the currencies of ISO 4217 and their minor units.
package money

import (
	"errors"
	"sync"

	"golang.org/x/text/currency"
)

// ErrUnknownCurrency is the error of a text that is no currency code. It completes the sentence "currency must …".
var ErrUnknownCurrency = errors.New("must be the code of a currency in ISO 4217, in capitals: EUR")

// Currency is a currency of ISO 4217. The zero value is none; Parse returns the others.
type Currency struct {
	code   string
	digits int
}

// String returns the code: EUR.
func (c Currency) String() string { return c.code }

// Digits returns how many decimals an amount has: a euro is 10^2 minor units, a yen 10^0, a Kuwaiti dinar 10^3.
func (c Currency) Digits() int { return c.digits }

// Parse returns the currency with this code. It knows present currencies, units of account such as CLF, and past currencies, which
// imported orders have. Metals, baskets and the codes for tests and for "no currency" are ErrUnknownCurrency: they have no
// minor unit.
func Parse(code string) (Currency, error) {
	digits, ok := currencies()[code]
	if !ok {
		return Currency{}, ErrUnknownCurrency
	}
	return Currency{code, digits}, nil
}

// firstEdition is the year of ISO 4217. Currencies that ended before have no code in it.
const firstEdition = 1978

// currencies returns the digits of each currency by code. A country uses or used each of them, by the tables of x/text.
var currencies = sync.OnceValue(func() map[string]int {
	known := make(map[string]int)
	for use := currency.Query(currency.Historical); use.Next(); {
		code := use.Unit().String()
		until, past := use.To()
		switch {
		case !past:
			known[code] = 2 // x/text has the decimals that people write, which are none in Albania
		case until.Year() >= firstEdition && known[code] == 0:
			known[code], _ = currency.Standard.Rounding(use.Unit())
		}
	}
	for digits, codes := range exceptions {
		for _, code := range codes {
			known[code] = digits
		}
	}
	return known
})

// exceptions are the present currencies by their digits, as in list one of ISO 4217, unless they have two and x/text knows them.
var exceptions = map[int][]string{
	0: {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"},
	2: {"BOV", "CHE", "CHW", "COU", "MRU", "MXV", "SLE", "USN", "VED", "VES", "XCG", "ZWG"},
	3: {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
	4: {"CLF", "UYW"},
}
