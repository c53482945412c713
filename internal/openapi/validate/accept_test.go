package validate

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// values are texts on which checks of parameters differ.
var values = []string{
	"a", "0", "1", "-1", "+1", "007", "1.0", "1e2", "20", "100", "101", "1_000", "9223372036854775808", " 1", "NaN", "0x10",
	"day", "hour", "DAY", "all", "active", "EUR", "eur", "EURO", "é", "😀", "2026-03-01", "2026-02-30", "2026-13-01", "0000-01-01", "2026-3-1",
	"0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", "0195A3F2-7C1E-7B3A-9D54-2F6B1C8E4A10", "{0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10}",
	strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 200), strings.Repeat("x", 601), strings.Repeat("😀", 50), strings.Repeat("é", 100),
	"views", "unique_users", `"1"`, "W/\"1\"", "*", "a,b", "true", "null", "a b", "a=b", "a;b", "x\ny",
}

// TestPreparedChecksAcceptNothingMore holds the prepared check of every parameter of the contract against kin-openapi.
func TestPreparedChecksAcceptNothingMore(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, o := range c.Operations() {
		for _, ref := range o.Parameters {
			p := newParameter(ref.Value)
			if p.accepts == nil {
				continue
			}
			for _, value := range values {
				if !p.accepts(value) {
					continue
				}
				accepted++
				if err := byLibrary(t, p, value); err != nil {
					t.Errorf("%s %s, %s: %q is accepted, but %v", o.Method, o.Path, p.pointer, value, err)
				}
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d values were accepted: the checks are of no use", accepted)
	}
}

// byLibrary checks a value as the parameter of a request.
func byLibrary(t *testing.T, p parameter, value string) error {
	t.Helper()
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}}
	input := &openapi3filter.RequestValidationInput{Request: r, Options: filterOptions}
	switch p.spec.In {
	case openapi3.ParameterInQuery:
		input.QueryParams = url.Values{p.spec.Name: {value}}
	case openapi3.ParameterInHeader:
		r.Header.Set(p.spec.Name, value)
	default:
		input.PathParams = map[string]string{p.spec.Name: value}
	}
	return openapi3filter.ValidateParameter(t.Context(), input, p.spec)
}
