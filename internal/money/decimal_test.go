package money_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/money"
)

func TestDecimalAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, currency string
		times, want    int64
		err            error
	}{
		{"2.55", "GBP", 6, 1530, nil},
		{"-11062.06", "GBP", 1, -1106206, nil},
		{"0.1", "EUR", 3, 30, nil}, // not so with floats
		{"1.005", "EUR", 1000, 100500, nil},
		{".5", "EUR", 1, 50, nil},
		{"7.", "JPY", 1, 7, nil},
		{"+1.5", "KWD", 1, 1500, nil},
		{"50000", "JPY", 2, 100000, nil},
		{"3.00", "JPY", 1, 3, nil},
		{"92233720368547758.07", "EUR", 1, 9223372036854775807, nil},
		{"92233720368547758.08", "EUR", 1, 0, money.ErrTooLarge},
		{"1.005", "EUR", 1, 101, money.ErrNotExact},
		{"-1.005", "EUR", 1, -101, money.ErrNotExact},
		{"0.001", "GBP", 1, 0, money.ErrNotExact},
		{"0.5", "JPY", 1, 1, money.ErrNotExact},
	} {
		currency, err := money.Parse(c.currency)
		if err != nil {
			t.Fatal(err)
		}
		d, err := money.ParseDecimal(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, err := d.Times(c.times).Minor(currency); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s x %d in %s: %d, %v; want %d, %v", c.text, c.times, c.currency, got, err, c.want, c.err)
		}
	}
}

func TestTextsThatAreNoDecimals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "-", ".", "1,5", "1e3", "0x10", "1/3", "--1", "+-1", "1.2.3", " 1", "1 ", "NaN", "Inf", "1_000", "١", strings.Repeat("9", 61)} {
		if _, err := money.ParseDecimal(text); !errors.Is(err, money.ErrNotDecimal) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
