package contract_test

import (
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

func TestFind(t *testing.T) {
	t.Parallel()
	c := load(t)
	const id = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"
	for _, tc := range []struct{ method, target, operation, param string }{
		{"GET", "/products", "listProducts", ""},
		{"GET", "/products?limit=1", "listProducts", ""},
		{"GET", "/products/" + id, "getProduct", id},
		{"DELETE", "/products/not-an-id", "archiveProduct", "not-an-id"},
		{"POST", "/products/bulk", "bulkUpsertProducts", ""},
		{"GET", "/products/bulk", "getProduct", "bulk"},
		{"GET", "/analytics/users/me/summary", "mySummary", ""},
		{"GET", "/analytics/users/someone/summary", "userSummary", "someone"},
		{"GET", "/analytics/users/a%2Fb%20c/summary", "userSummary", "a/b c"},
		{"GET", "/analytics/users/a%20b/summary", "userSummary", "a b"},
		{"GET", "/auth/.well-known/jwks.json", "getJWKS", ""},
		{"GET", "/auth/xwell-known/jwks.json", "", ""},
		{"PUT", "/products", "", ""},
		{"BREW", "/products", "", ""},
		{"GET", "/products/", "", ""},
		{"GET", "//products", "", ""},
		{"GET", "/", "", ""},
	} {
		operation, params, ok := c.Find(httptest.NewRequest(tc.method, tc.target, nil))
		if ok != (tc.operation != "") || ok && (operation.ID != tc.operation || params["id"] != tc.param) {
			t.Errorf("%s %s: %+v with %q, want %s with %q", tc.method, tc.target, operation, params, tc.operation, tc.param)
		}
	}
	for target, want := range map[string]bool{"/products": true, "/products/x": true, "/product": false, "/": false} {
		if got := c.HasPath(httptest.NewRequest("BREW", target, nil)); got != want {
			t.Errorf("HasPath(%s) = %t", target, got)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		format      string
		good, wrong []string
	}{
		{
			"uuid",
			[]string{"0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", "00000000-0000-0000-0000-000000000000", "ABCDEFAB-1234-4abc-8def-abcdefabcdef"},
			[]string{"", "17", "{0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10}", "urn:uuid:0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", "0195a3f27c1e7b3a9d542f6b1c8e4a10", "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a1g", "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10\n"},
		},
		{
			"email",
			[]string{"ada@example.com", "ada+shop@mail.example.co.uk", "o'hara@example.com", "admin@localhost", "jürgen@bücher.example"},
			[]string{"", "ada", "ada@", "@example.com", "ada@@example.com", "ada@exam ple.com", "Ada <ada@example.com>", "ada@example.com, bob@example.com", " ada@example.com", "ada@example.com\n", `"a b"@example.com`, "ada@example..com"},
		},
		{"uri", []string{"https://hp-analytics.dev/problems/x", "urn:x:y"}, []string{"", "/relative", "example.com", "http://a b"}},
		{"date", []string{"2024-02-29"}, []string{"", "2023-02-29", "2024-2-9", "2024-02-29T00:00:00Z"}},
		{"date-time", []string{"2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59+02:00"}, []string{"", "2024-02-29", "2024-02-29 23:59:59Z", "2024-02-29T23:59:59", "2023-02-29T00:00:00Z"}},
	} {
		s := openapi3.NewStringSchema().WithFormat(tc.format)
		for _, value := range tc.good {
			if err := s.VisitJSON(value, contract.Formats()...); err != nil {
				t.Errorf("%s %q is refused: %v", tc.format, value, err)
			}
		}
		for _, value := range tc.wrong {
			if s.VisitJSON(value, contract.Formats()...) == nil {
				t.Errorf("%s %q is accepted", tc.format, value)
			}
		}
	}
}
