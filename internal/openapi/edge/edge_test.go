package edge

import (
	stdcmp "cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// document is a contract with one operation, POST /things/{id}; operation is the part that tests change.
func document(operation string) string {
	return `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things/{id}:
    post:
      tags: [things]
      operationId: changeThing
      parameters: [{name: id, in: path, required: true, schema: {type: string, maxLength: 40}}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [name], properties: {name: {type: string}, size: {type: string}}}}}
      responses: {'200': {description: ok}}
      ` + strings.ReplaceAll(operation, "\n", "\n      ") + `
components:
  schemas:
    Role: {type: string, enum: [admin, analyst, user]}
    ProjectRole: {type: string, enum: [owner, analyst, viewer]}
    Scope: {type: string, enum: [ingest, read, admin]}
`
}

// tokens authenticates "Bearer NAME" as the principal with that name.
type tokens map[string]authn.Principal

// Authenticate implements Authenticator.
func (t tokens) Authenticate(_ context.Context, header string) (authn.Principal, error) {
	p, ok := t[strings.TrimPrefix(header, "Bearer ")]
	if !ok {
		return authn.Principal{}, errs.New(errs.Unauthenticated, "invalid_token", "No.")
	}
	return p, nil
}

// Enter implements Authenticator. Everybody acts in the project "home"; those whose subject begins with r also in "shop".
func (t tokens) Enter(_ context.Context, caller authn.Principal, slug string) (authn.Principal, error) {
	if slug != "" && slug != "home" && (slug != "shop" || !strings.HasPrefix(caller.Subject, "r")) {
		return authn.Principal{}, authn.ErrProjectForbidden
	}
	caller.Project.Slug = stdcmp.Or(slug, "home")
	if caller.Role == authn.Admin {
		caller.Role = authn.Owner
	}
	return caller, nil
}

var callers = tokens{
	"user":    {Subject: "u1", Role: authn.User},
	"analyst": {Subject: "a1", Role: authn.Analyst},
	"admin":   {Subject: "r1", Role: authn.Admin},
	"ingest":  {KeyID: "k1", Scopes: []authn.Scope{authn.ScopeIngest}},
	"read":    {KeyID: "k2", Scopes: []authn.Scope{authn.ScopeRead}},
	"root":    {KeyID: "k3", Scopes: []authn.Scope{authn.ScopeAdmin}},
	"none":    {KeyID: "k4"},
	"blank":   {},
}

// journal records what happens to a request, in order. As a Limiter it refuses the key "full".
type journal struct{ entries []string }

// Allow implements Limiter.
func (j *journal) Allow(_ context.Context, _ http.Header, key string, _ int) error {
	j.entries = append(j.entries, "limit "+key)
	if key == "full" {
		return errs.New(errs.TooMany, "rate_limited", "Later.")
	}
	return nil
}

// body records when it is read.
type body struct {
	journal *journal
	io.Reader
}

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	if n := len(b.journal.entries); n == 0 || b.journal.entries[n-1] != "body" {
		b.journal.entries = append(b.journal.entries, "body")
	}
	return b.Reader.Read(p)
}

func registerThing(handler http.HandlerFunc) func(chi.Router) {
	return func(r chi.Router) { r.Post("/things/{id}", handler) }
}

// mounted returns a router with the operation of document(operation).
func mounted(t *testing.T, operation string, limits map[string]Limit, handler http.HandlerFunc) chi.Router {
	t.Helper()
	c, err := contract.Parse([]byte(document(operation)))
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	if err := mount(c, router, "things", Options{Authenticator: callers, Limits: limits}, registerThing(handler)); err != nil {
		t.Fatal(err)
	}
	return router
}

func post(h http.Handler, target, token string, content io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, content)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAccess(t *testing.T) {
	t.Parallel()
	const valid = `{"name":"n"}`
	everybody := []string{"", "user", "analyst", "admin", "ingest", "read", "root", "none", "blank"}
	for rule, allowed := range map[string][]string{
		"unauthenticated":                               append([]string{"wrong"}, everybody...),
		"public":                                        everybody,
		"{roles: [admin], scopes: [admin]}":             {"admin", "root"},
		"{roles: [user, analyst, admin]}":               {"user", "analyst", "admin"},
		"{scopes: [ingest]}":                            {"ingest", "root"},
		"{roles: [user], scopes: [ingest, read]}":       {"user", "ingest", "read", "root"},
		"{roles: [analyst], scopes: [read], self: id}":  {"user", "analyst", "read", "root"},
		"{roles: [analyst], self: id, scopes: [admin]}": {"user", "analyst", "root"},
	} {
		handler := mounted(t, "x-access: "+rule, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		for _, token := range append(everybody, "wrong") {
			want, code := http.StatusForbidden, "forbidden"
			switch {
			case slices.Contains(allowed, token):
				want, code = http.StatusTeapot, ""
			case token == "":
				want, code = http.StatusUnauthorized, "credentials_required"
			case token == "wrong":
				want, code = http.StatusUnauthorized, "invalid_token"
			}
			w := post(handler, "/things/u1", token, strings.NewReader(valid))
			var doc problem.Document
			if w.Body.Len() > 0 {
				if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
					t.Fatal(err)
				}
			}
			if w.Code != want || doc.Code != code {
				t.Errorf("%s, %q: %d %s, want %d %s", rule, token, w.Code, doc.Code, want, code)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (w.Code == http.StatusUnauthorized) {
				t.Errorf("%s, %q: status %d with WWW-Authenticate %q", rule, token, w.Code, challenge)
			}
		}
	}
}

// TestSelfComparesTheDecodedValue checks that access is decided by the value with which the handler works.
func TestSelfComparesTheDecodedValue(t *testing.T) {
	t.Parallel()
	handler := mounted(t, "x-access: {roles: [admin], self: id}", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for target, want := range map[string]int{
		"/things/u1":     http.StatusTeapot,
		"/things/%751":   http.StatusTeapot,
		"/things/u2":     http.StatusForbidden,
		"/things/%25751": http.StatusForbidden,
		"/things/u1%2F":  http.StatusForbidden,
		"/things/U1":     http.StatusForbidden,
	} {
		if w := post(handler, target, "user", strings.NewReader(`{"name":"n"}`)); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func TestRequirement(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"{roles: [admin], scopes: [admin]}": "This needs the role admin, or an API key with the scope admin.",
		"{roles: [admin, analyst, user]}":   "This needs the access token of a user. An API key has no account.",
		"{roles: [admin, analyst], scopes: [read], self: id}": "This needs the role admin or analyst, or the access token of the user in the path, " +
			"or an API key with the scope read.",
		"{scopes: [ingest, read, admin]}": "This needs an API key with the scope ingest, read or admin.",
	} {
		c, err := contract.Parse([]byte(document("x-access: " + rule)))
		if err != nil {
			t.Fatal(err)
		}
		if got := requirement(c.Operations()[0]); got != want {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		token, body string
		status      int
		want        []string
	}{
		"nobody":       {"", `{"name":"n"}`, 401, nil},
		"forbidden":    {"user", `{"name":"n"}`, 403, nil},
		"invalid body": {"admin", `{"name":1}`, 422, []string{"limit invalid IP", "body"}},
		"all the way":  {"admin", `{"name":"n"}`, 418, []string{"limit invalid IP", "body", "handler"}},
	} {
		j := &journal{}
		limits := map[string]Limit{
			"address": ByAddress(j), "later": ChargedByHandler(),
		}
		handler := mounted(t, "x-access: {roles: [admin]}\nx-limits: [address, later]", limits, func(w http.ResponseWriter, r *http.Request) {
			j.entries = append(j.entries, "handler")
			if p, err := authn.Require(r.Context()); err != nil || p.Subject != "r1" {
				t.Errorf("the handler's caller is %+v, %v", p, err)
			}
			if content, _ := io.ReadAll(r.Body); string(content) != tc.body {
				t.Errorf("the handler reads %q", content)
			}
			w.WriteHeader(http.StatusTeapot)
		})
		w := post(handler, "/things/1", tc.token, body{j, strings.NewReader(tc.body)})
		if w.Code != tc.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, tc.status)
		}
		if diff := cmp.Diff(tc.want, j.entries); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestHandlerValidates checks that x-validation: handler leaves body and parameters alone.
func TestHandlerValidates(t *testing.T) {
	t.Parallel()
	j := &journal{}
	handler := mounted(t, "x-access: public\nx-validation: handler", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := post(handler, "/things/"+strings.Repeat("x", 50), "", body{j, strings.NewReader("no JSON")})
	if w.Code != http.StatusTeapot || len(j.entries) > 0 {
		t.Errorf("status %d after %q", w.Code, j.entries)
	}
}
