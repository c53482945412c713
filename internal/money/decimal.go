package money

import (
	"errors"
	"math/big"
	"strings"
)

// maxDecimalDigits bounds the digits of a Decimal, so that no text costs much.
const maxDecimalDigits = 60

// The errors of decimal amounts.
var (
	// ErrNotDecimal is the error of a text that is no decimal number.
	ErrNotDecimal = errors.New("must be a decimal number: -12.50")
	// ErrNotExact is the error of an amount that has a part smaller than the minor unit of its currency.
	ErrNotExact = errors.New("has a part that is smaller than the minor unit of the currency")
	// ErrTooLarge is the error of an amount whose minor units do not fit into 64 bits.
	ErrTooLarge = errors.New("is too large")
)

// Decimal is an exact decimal number: a price or an amount as people write it. The zero value is 0.
type Decimal struct {
	digits big.Int
	scale  int // how many of the digits are behind the point
}

// ParseDecimal reads a number: digits, perhaps with a sign before them, perhaps with a point between or before them. It knows
// neither exponents nor separators of thousands.
func ParseDecimal(text string) (Decimal, error) {
	unsigned := strings.TrimLeft(text, "+-")
	if len(text)-len(unsigned) > 1 {
		return Decimal{}, ErrNotDecimal
	}
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := whole + fraction
	if digits == "" || len(digits) > maxDecimalDigits || strings.Trim(digits, "0123456789") != "" {
		return Decimal{}, ErrNotDecimal
	}
	d := Decimal{scale: len(fraction)}
	d.digits.SetString(digits, 10)
	if strings.HasPrefix(text, "-") {
		d.digits.Neg(&d.digits)
	}
	return d, nil
}

// Times returns d multiplied by n.
func (d Decimal) Times(n int64) Decimal {
	product := Decimal{scale: d.scale}
	product.digits.Mul(&d.digits, big.NewInt(n))
	return product
}

// Sign returns -1, 0 or 1, as d is below, equal to or above 0.
func (d Decimal) Sign() int { return d.digits.Sign() }

// Minor returns d in minor units of a currency. If d is between two of them it returns the one that is further from 0 when d is
// in the middle, the nearer one otherwise, together with ErrNotExact; callers that do not round use the error.
func (d Decimal) Minor(c Currency) (int64, error) {
	minor, remainder := new(big.Int).Set(&d.digits), new(big.Int)
	ten := big.NewInt(10)
	if shift := c.digits - d.scale; shift >= 0 {
		minor.Mul(minor, new(big.Int).Exp(ten, big.NewInt(int64(shift)), nil))
	} else {
		unit := new(big.Int).Exp(ten, big.NewInt(int64(-shift)), nil)
		minor.QuoRem(minor, unit, remainder) // toward 0
		if twice := new(big.Int).Abs(remainder); twice.Lsh(twice, 1).Cmp(unit) >= 0 {
			minor.Add(minor, big.NewInt(int64(d.digits.Sign())))
		}
	}
	if !minor.IsInt64() {
		return 0, ErrTooLarge
	}
	if remainder.Sign() != 0 {
		return minor.Int64(), ErrNotExact
	}
	return minor.Int64(), nil
}
