package contract_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

func TestFind(t *testing.T) {
	t.Parallel()
	c := load(t)
	const id = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"
	for _, tc := range []struct{ method, target, operation string }{
		{"GET", "/products", "listProducts"},
		{"GET", "/products?limit=1", "listProducts"},
		{"GET", "/products/" + id, "getProduct"},
		{"HEAD", "/products/" + id, "getProduct"},
		{"DELETE", "/products/not-an-id", "archiveProduct"},
		{"POST", "/products/bulk", "bulkUpsertProducts"},
		{"GET", "/products/bulk", "getProduct"},
		{"GET", "/analytics/users/me/summary", "mySummary"},
		{"GET", "/analytics/users/someone/summary", "userSummary"},
		{"GET", "/analytics/users/a%2Fb%20c/summary", "userSummary"},
		{"GET", "/analytics/users/a%20b/summary", "userSummary"},
		{"GET", "/auth/.well-known/jwks.json", "getJWKS"},
		{"GET", "/auth/xwell-known/jwks.json", ""},
		{"PUT", "/products", ""},
		{"BREW", "/products", ""},
		{"GET", "/products/", ""},
		{"GET", "//products", ""},
		{"GET", "/", "getDashboard"},
		{"GET", "/app/", ""},
	} {
		operation, ok := c.Find(httptest.NewRequest(tc.method, tc.target, nil))
		if ok != (tc.operation != "") || ok && operation.ID != tc.operation {
			t.Errorf("%s %s: %+v, want %s", tc.method, tc.target, operation, tc.operation)
		}
	}
	for target, want := range map[string]bool{"/products": true, "/products/x": true, "/product": false, "/": true, "/x": false} {
		if got := c.HasPath(httptest.NewRequest("BREW", target, nil)); got != want {
			t.Errorf("HasPath(%s) = %t", target, got)
		}
	}
}

// A document in which an operation on data has forgotten the project does not load.
func TestDataBelongsToAProject(t *testing.T) {
	t.Parallel()
	document := func(tag, parameters string) []byte {
		return []byte(`
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things:
    get:
      tags: [` + tag + `]
      operationId: listThings
      x-access: public
      parameters: [` + parameters + `]
      responses: {'200': {description: ok}}
components: {schemas: {Role: {type: string}, Scope: {type: string}}}`)
	}
	const header = `{name: Project, in: header, schema: {type: string}}`
	for _, test := range []struct {
		tag, parameters  string
		loads, inProject bool
	}{
		{"catalog", header, true, true},
		{"ingest", "", false, false},
		{"analytics", "", false, false},
		{"auth", "", true, false},
		{"auth", header, true, true},
	} {
		c, err := contract.Parse(document(test.tag, test.parameters))
		if (err == nil) != test.loads || err == nil && c.Operations()[0].InProject != test.inProject {
			t.Errorf("%s with the parameters [%s]: %v", test.tag, test.parameters, err)
		}
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]*contract.Audit{
		`[key.created, key.revoked]`: {Actions: []string{"key.created", "key.revoked"}},
		`{none: It reads.}`:          {Reason: "It reads."},
		`{none: ''}`:                 nil,
		`{}`:                         nil,
		`{nothing: It reads.}`:       nil,
		`[]`:                         nil,
		`key.created`:                nil,
		`[created]`:                  nil,
		`[Key.Created]`:              nil,
	} {
		c, err := contract.Parse([]byte(`
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things:
    get:
      tags: [things]
      operationId: listThings
      x-access: public
      x-audit: ` + value + `
      responses: {'200': {description: ok}}
components: {schemas: {Role: {type: string}, Scope: {type: string}}}`))
		if (err == nil) != (want != nil) {
			t.Errorf("%s: %v", value, err)
		} else if want != nil {
			if diff := cmp.Diff(*want, c.Operations()[0].Audit); diff != "" {
				t.Errorf("%s (-want +got):\n%s", value, diff)
			}
		}
	}
}

func TestPathParameter(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/things/plain":      "plain",
		"/things/a%2Fb%20c":  "a/b c",
		"/things/a%20b":      "a b",
		"/things/a%2541":     "a%41", // decoded once
		"/things/a%2F%2541":  "a/%41",
		"/things/%61bc":      "abc",
		"/things/caf%C3%A9!": "café!",
	} {
		var got string
		router := chi.NewRouter()
		router.Get("/things/{id}", func(_ http.ResponseWriter, r *http.Request) { got = contract.PathParameter(r, "id") })
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil))
		if got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
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
