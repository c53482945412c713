package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// TestContractDoesNotLoad lists extensions with which no service starts.
func TestContractDoesNotLoad(t *testing.T) {
	t.Parallel()
	for operation, want := range map[string]string{
		"deprecated: false":                                "POST /things/{id}: x-access is missing",
		"x-access: everybody":                              `unknown value "everybody"`,
		"x-access: [public]":                               "x-access: json",
		"x-access: {}":                                     "at least one role or scope",
		"x-access: {self: id}":                             "at least one role or scope",
		"x-access: {roles: [root]}":                        `"root" is no Role`,
		"x-access: {scopes: [write]}":                      `"write" is no Scope`,
		"x-access: {roles: [user, user]}":                  `"user" is named twice`,
		"x-access: {role: [user]}":                         `unknown field "role"`,
		"x-access: {roles: [admin], self: user}":           `self names "user", which is no path parameter`,
		"x-access: public\nx-limits: login":                "x-limits: json",
		"x-access: public\nx-validation: none":             "x-validation: unknown value",
		"x-access: public\nx-validation: true":             "x-validation: unknown value",
		"x-access: {roles: [admin], public: true}":         `unknown field "public"`,
		"x-access: {roles: [admin], scopes: [read, read]}": `"read" is named twice`,
	} {
		_, err := contract.Parse([]byte(document(operation)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", operation, err, want)
		}
	}
}

// TestMountRefuses lists disagreements between a contract and a service with which the service does not start.
func TestMountRefuses(t *testing.T) {
	t.Parallel()
	thing := registerThing(func(http.ResponseWriter, *http.Request) {})
	for label, tc := range map[string]struct {
		operation string
		limits    map[string]Limit
		register  func(chi.Router)
		want      string
	}{
		"unserved operation": {"x-access: public", nil, func(chi.Router) {}, "openapi.yaml has POST /things/{id}, which the service does not serve"},
		"unknown path": {"x-access: public", nil, func(r chi.Router) {
			thing(r)
			r.Get("/other", http.NotFound)
		}, "the service serves GET /other, which openapi.yaml does not have"},
		"unknown method": {"x-access: public", nil, func(r chi.Router) {
			thing(r)
			r.Get("/things/{id}", http.NotFound)
		}, "the service serves GET /things/{id}"},
		"missing limit":     {"x-access: public\nx-limits: [address]", nil, thing, `x-limits names "address", which the service does not supply`},
		"unused limit":      {"x-access: public", map[string]Limit{"name": ByAddress(&journal{})}, thing, `supplies the limit "name", which no operation names`},
		"no authentication": {"x-access: public", nil, thing, "needs an Authenticator"},
	} {
		c, err := contract.Parse([]byte(document(tc.operation)))
		if err != nil {
			t.Fatal(err)
		}
		options := Options{Authenticator: callers, Limits: tc.limits}
		if label == "no authentication" {
			options.Authenticator = nil
		}
		router := chi.NewRouter()
		err = mount(c, router, "things", options, tc.register)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", label, err, tc.want)
		}
		if len(router.Routes()) > 0 {
			t.Errorf("%s: mounted all the same", label)
		}
	}
}

// TestRolesAndScopes checks that the contract and package authn enumerate the same.
func TestRolesAndScopes(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for schema, want := range map[string][]any{
		"Role":        {string(authn.Admin), string(authn.User)},
		"ProjectRole": {string(authn.Owner), string(authn.Analyst), string(authn.Viewer)},
		"Scope":       {string(authn.ScopeIngest), string(authn.ScopeRead), string(authn.ScopeAdmin)},
	} {
		if diff := cmp.Diff(want, c.Document.Components.Schemas[schema].Value.Enum); diff != "" {
			t.Errorf("%s (-authn +openapi.yaml):\n%s", schema, diff)
		}
	}
}
