package product

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Filter says which products a list holds.
type Filter struct {
	Project  int16
	SKU      string // empty for all
	Status   Status // empty for all
	Category string // empty for all
	Query    string // part of the name or SKU, without regard to case; empty for all
}

// Validate returns f with its SKU in normal form, or an Invalid error for texts that no product can have. Postgres cannot
// compare with a NUL.
func (f Filter) Validate() (Filter, error) {
	var found problems
	if f.SKU != "" {
		sku, err := identifier.Text(f.SKU)
		found.checkSKU("/query/sku", err)
		f.SKU = sku
	}
	for _, parameter := range []struct{ name, value string }{{"category", f.Category}, {"q", f.Query}} {
		if !isText(parameter.value, "") {
			found = append(found, errs.Field{
				Pointer: "/query/" + parameter.name, Code: invalidValue, Detail: parameter.name + " must be text without control characters.",
			})
		}
	}
	if len(found) > 0 {
		return Filter{}, errs.New(errs.Invalid, "validation_failed", "The filter is not valid; errors says where and why.", found...)
	}
	return f, nil
}

// Position is the place of a product in a list, which is sorted by the numbers of products, newest first.
type Position struct {
	N int32 // the number of the product, which is positive
}

// Page asks for the part of a list that follows After, or for its beginning.
type Page struct {
	Filter Filter
	After  *Position
	Limit  int
}

// A cursor is the base64url of: format, number of the product, digest of the filter.
const (
	cursorFormat = 2
	digestBytes  = 8
	cursorBytes  = 1 + 4 + digestBytes
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// Cursor returns the opaque cursor of the page that follows p in the list of f. No product need be at p.
func (f Filter) Cursor(p Position) string {
	raw := make([]byte, 0, cursorBytes)
	raw = append(raw, cursorFormat)
	raw = binary.BigEndian.AppendUint32(raw, uint32(p.N))
	raw = append(raw, f.digest()...)
	return cursorEncoding.EncodeToString(raw)
}

// Position decodes a cursor. It refuses a cursor of another filter, whose pages would silently skip products.
func (f Filter) Position(cursor string) (Position, error) {
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) != cursorBytes || raw[0] != cursorFormat {
		return Position{}, cursorError("invalid_cursor", "The cursor is not one that this list returned.")
	}
	n := int32(binary.BigEndian.Uint32(raw[1:5]))
	if n <= 0 {
		return Position{}, cursorError("invalid_cursor", "The cursor is not one that this list returned.")
	}
	if string(raw[cursorBytes-digestBytes:]) != string(f.digest()) {
		return Position{}, cursorError("cursor_mismatch",
			"The cursor belongs to a list with other filters. Repeat status, sku, category and q of the first page in the same project, or start again without a cursor.")
	}
	return Position{N: n}, nil
}

func cursorError(code, detail string) error {
	return errs.New(errs.Invalid, code, detail, errs.Field{Pointer: "/query/cursor", Code: code, Detail: detail})
}

// digest identifies a filter. It detects mistakes of clients; it is not a security measure.
func (f Filter) digest() []byte {
	parts := []string{strconv.Itoa(int(f.Project)), f.SKU, string(f.Status), f.Category, f.Query}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return sum[:digestBytes]
}
