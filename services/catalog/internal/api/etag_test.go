package api

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestPreconditions(t *testing.T) {
	t.Parallel()
	unchanged := func(p product.Product) (product.Product, error) { return p, nil }
	for _, test := range []struct {
		header string
		match  bool
	}{
		{`"7"`, true},
		{`"7-gzip"`, true},
		{`*`, true},
		{`"6", "7"`, true},
		{`"6","8" , W/"7"`, false},
		{`W/"7"`, false},
		{`"6"`, false},
		{`"77"`, false},
		{`7`, false},
		{``, false},
	} {
		_, err := onlyIf(&test.header, unchanged)(product.Product{Version: 7})
		if (err == nil) != test.match || err != nil && !errs.Is(err, errs.Stale) {
			t.Errorf("If-Match: %s: %v, want it to hold: %t", test.header, err, test.match)
		}
	}
	if _, err := onlyIf(nil, unchanged)(product.Product{Version: 7}); err != nil {
		t.Errorf("without If-Match: %v", err)
	}
}
