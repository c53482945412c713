package report

import (
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// Amount is money in one currency.
type Amount struct {
	Currency string // ISO 4217 code
	stats.Money
}

// Revenue is money by currency, sorted by code, with at most one amount for each.
type Revenue []Amount

// Add adds m in a currency. A sum that is too large is ErrTooLarge.
func (r *Revenue) Add(currency string, m stats.Money) error {
	i, found := slices.BinarySearchFunc(*r, currency, func(a Amount, c string) int { return strings.Compare(a.Currency, c) })
	if !found {
		*r = slices.Insert(*r, i, Amount{Currency: currency, Money: m})
		return nil
	}
	if err := (*r)[i].Add(m); err != nil {
		return ErrTooLarge.Because(err)
	}
	return nil
}

// In returns the money in one currency.
func (r Revenue) In(currency string) stats.Money {
	for _, a := range r {
		if a.Currency == currency {
			return a.Money
		}
	}
	return stats.Money{}
}
