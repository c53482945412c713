package money_test

import (
	"errors"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/money"
)

func TestDigits(t *testing.T) {
	t.Parallel()
	for code, digits := range map[string]int{
		"EUR": 2, "USD": 2, "JPY": 0, "KRW": 0, "KWD": 3, "IQD": 3, "CLF": 4, "UYW": 4,
		"ALL": 2, "IDR": 2, "COP": 2, "HUF": 2, // people write them without decimals; ISO 4217 has two
		"VES": 2, "SLE": 2, "XCG": 2, "ZWG": 2, "MRU": 2, // younger than the tables of x/text
		"DEM": 2, "ITL": 0, "HRK": 2, // past, in imported orders
	} {
		c, err := money.Parse(code)
		if err != nil || c.Digits() != digits || c.String() != code {
			t.Errorf("Parse(%s) = %s with %d digits, %v; want %d digits", code, c, c.Digits(), err, digits)
		}
	}
}

func TestUnknownCurrencies(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"", "ZZZ", "XXX", "XTS", "XAU", "XDR", "eur", "Eur", "EU", "EURO", "€", " EUR", "EUR\n", "978", "BTC", "CNH", "BGO",
	} {
		if c, err := money.Parse(code); !errors.Is(err, money.ErrUnknownCurrency) {
			t.Errorf("Parse(%q) = %v, %v; want ErrUnknownCurrency", code, c, err)
		}
	}
}
