package product_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

var position = product.Position{N: 1_234_567}

func TestCursorLeadsBackToItsPosition(t *testing.T) {
	t.Parallel()
	for _, filter := range []product.Filter{
		{}, {Status: product.Active}, {Status: product.Archived, Category: "shoes", Query: "trail"},
	} {
		got, err := filter.Position(filter.Cursor(position))
		if err != nil || got != position {
			t.Errorf("%+v: %+v, %v; want %+v", filter, got, err, position)
		}
	}
}

func TestCursorBelongsToItsFilter(t *testing.T) {
	t.Parallel()
	filter := product.Filter{Status: product.Active, Category: "a", Query: "b"}
	cursor := filter.Cursor(position)
	for _, other := range []product.Filter{
		{}, {SKU: "a", Status: product.Active, Query: "b"}, {Project: 2, Status: product.Active, Category: "a", Query: "b"}, {Status: product.Archived, Category: "a", Query: "b"}, {Status: product.Active, Category: "ab"},
		{Status: product.Active, Category: "b", Query: "a"}, {Status: product.Active, Query: "b"},
	} {
		if _, err := other.Position(cursor); errs.CodeOf(err) != "cursor_mismatch" || !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v takes the cursor of %+v: %v", other, filter, err)
		}
	}
}

func TestBadCursor(t *testing.T) {
	t.Parallel()
	var filter product.Filter
	edited := func(edit func(raw []byte)) string {
		raw, err := base64.RawURLEncoding.DecodeString(filter.Cursor(position))
		if err != nil {
			t.Fatal(err)
		}
		edit(raw)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	for name, cursor := range map[string]string{
		"empty":         "",
		"not base64url": "§",
		"short":         filter.Cursor(position)[:10],
		"long":          filter.Cursor(position) + "AAAA",
		"other format":  edited(func(raw []byte) { raw[0]++ }),
		"negative":      edited(func(raw []byte) { raw[1] = 0xff }),
		"of no product": edited(func(raw []byte) { clear(raw[1:5]) }),
	} {
		if _, err := filter.Position(cursor); errs.CodeOf(err) != "invalid_cursor" {
			t.Errorf("%s: %v, want invalid_cursor", name, err)
		}
	}
}

func TestFilterIsText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter product.Filter
		want   []string
	}{
		{product.Filter{Status: product.Active, Category: "Schuhe für Berge", Query: "100 %"}, nil},
		{product.Filter{Category: "a\x00", Query: "\xff"}, []string{"/query/category invalid_value", "/query/q invalid_value"}},
		{product.Filter{SKU: " 商品 1 "}, nil},
		{product.Filter{SKU: " "}, []string{"/query/sku too_short"}},
		{product.Filter{SKU: "a\tb"}, []string{"/query/sku invalid_value"}},
		{product.Filter{Query: "\n"}, []string{"/query/q invalid_value"}},
	} {
		_, err := test.filter.Validate()
		if diff := cmp.Diff(test.want, fields(t, err)); diff != "" {
			t.Errorf("problems of %+v (-want +got):\n%s", test.filter, diff)
		}
	}
}

// FuzzCursor checks that whatever is accepted as a cursor is exactly one that we made.
func FuzzCursor(f *testing.F) {
	filter := product.Filter{Status: product.Active, Query: "trail"}
	f.Add(filter.Cursor(position))
	f.Add(product.Filter{}.Cursor(position))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		got, err := filter.Position(cursor)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("%q: %v is no invalid request", cursor, err)
			}
			return
		}
		if again := filter.Cursor(got); again != cursor {
			t.Fatalf("%q is accepted, but its position has the cursor %q", cursor, again)
		}
	})
}
