package product

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The limits of a product's content. The contract states the same ones, for requests that are held against it; they
// stand here as well because items of a bulk request and the outcome of a patch are not.
const (
	maxSKU         = 64
	maxName        = 200
	maxDescription = 4000
	maxCategory    = 100
	maxPrice       = 1_000_000_000_000
)

var (
	skuPattern      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// invalid is the code of a value that breaks a rule without a code of its own.
const invalid = "invalid_value"

// Validate returns c with its attributes in canonical form, or an Invalid error with an entry for each problem.
func (c Content) Validate() (Content, error) {
	var found problems
	found.check(len(c.SKU) <= maxSKU && skuPattern.MatchString(c.SKU), "sku", fmt.Sprintf(
		"must be 1 to %d letters, digits and . _ : / -, and start with a letter or digit", maxSKU))
	found.check(strings.TrimSpace(c.Name) != "", "name", "must not be empty")
	found.checkText("name", c.Name, maxName, "")
	found.checkText("description", c.Description, maxDescription, "\n\r\t")
	found.checkText("category", c.Category, maxCategory, "")
	found.check(0 <= c.PriceMinor && c.PriceMinor <= maxPrice, "price_minor", fmt.Sprintf("must be 0 to %d", int64(maxPrice)))
	found.check(currencyPattern.MatchString(c.Currency), "currency", "must be three capital letters, such as EUR")

	attributes, problem := canonicalAttributes(c.Attributes)
	if problem != nil {
		found = append(found, *problem)
	}
	c.Attributes = attributes
	return c, found.err()
}

// problems collects what is wrong with a content.
type problems []errs.Field

func (p *problems) check(ok bool, field, rule string) {
	if !ok {
		*p = append(*p, errs.Field{Pointer: "/" + field, Code: invalid, Detail: field + " " + rule + "."})
	}
}

func (p *problems) checkText(field, text string, maxLength int, controls string) {
	p.check(utf8.RuneCountInString(text) <= maxLength, field, fmt.Sprintf("must be at most %d characters", maxLength))
	p.check(isText(text, controls), field, "must be text without control characters")
}

// isText reports whether people can read s: it is UTF-8 and has no control characters but the given ones.
func isText(s, controls string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune(controls, r)
	})
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return errs.New(errs.Invalid, "invalid_product", "The product is not valid: "+p[0].Detail, p...)
}
