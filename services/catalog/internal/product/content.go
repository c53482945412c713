package product

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The limits of a product's content. The contract states the same limits. They are repeated here because items of a bulk
// request and the result of a patch are not validated against the contract.
const (
	maxName        = 200
	maxDescription = 4000
	maxCategory    = 100
	maxPrice       = 1_000_000_000_000
	maxPrices      = 50
)

// The codes of values that break a rule. The validation against the contract uses the same ones.
const (
	tooShort     = "too_short"
	tooLong      = "too_long"
	tooSmall     = "too_small"
	tooLarge     = "too_large"
	wrongType    = "wrong_type"
	invalidValue = "invalid_value"
)

// Validate returns c with its SKU in normal form, its attributes in canonical form and prices that are not nil, or an Invalid error with an entry for
// each problem.
func (c Content) Validate() (Content, error) {
	var found problems
	sku, err := identifier.Text(c.SKU)
	found.checkSKU("/sku", err)
	c.SKU = sku
	found.check(strings.TrimSpace(c.Name) != "", "name", tooShort, "must not be empty")
	found.checkText("name", c.Name, maxName, "")
	found.checkText("description", c.Description, maxDescription, "\n\r\t")
	found.checkText("category", c.Category, maxCategory, "")
	found.checkPrices(c)
	if c.Prices == nil {
		c.Prices = map[string]int64{}
	}
	attributes, problem := canonicalAttributes(c.Attributes)
	if problem != nil {
		found = append(found, *problem)
	}
	c.Attributes = attributes
	return c, found.err()
}

// problems collects what is wrong with a content.
type problems []errs.Field

func (p *problems) check(ok bool, field, code, rule string) {
	if !ok {
		*p = append(*p, errs.Field{Pointer: "/" + field, Code: code, Detail: field + " " + rule + "."})
	}
}

// checkSKU adds the error of identifier.Text, which is nil for a SKU that products can have.
func (p *problems) checkSKU(pointer string, err error) {
	if err == nil {
		return
	}
	code := invalidValue
	switch {
	case errors.Is(err, identifier.ErrEmpty):
		code = tooShort
	case errors.Is(err, identifier.ErrTooLong):
		code = tooLong
	}
	*p = append(*p, errs.Field{Pointer: pointer, Code: code, Detail: "sku " + err.Error() + "."})
}

// checkText accepts text without control characters. Postgres cannot store a NUL.
func (p *problems) checkText(field, text string, maxLength int, controls string) {
	p.check(utf8.RuneCountInString(text) <= maxLength, field, tooLong, fmt.Sprintf("must have at most %d characters", maxLength))
	p.check(isText(text, controls), field, invalidValue, "must be text without control characters")
}

// isText reports whether s is UTF-8 without control characters other than the given ones.
func isText(s, controls string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune(controls, r)
	})
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return errs.New(errs.Invalid, "validation_failed", "The product is not valid; errors says where and why.", p...)
}
