package auth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestAccountLifecycle calls every operation once.
func TestAccountLifecycle(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()

	ada := want[user](anyone, http.StatusCreated, http.MethodPost, "/auth/register",
		`{"email":"Ada@Example.com","password":"`+goodPassword+`","name":" Ada Lovelace "}`)
	if diff := cmp.Diff(user{Email: "ada@example.com", Name: "Ada Lovelace", Role: "user"}, ada, cmpopts.IgnoreFields(user{}, "ID", "CreatedAt")); diff != "" {
		t.Errorf("registered (-want +got):\n%s", diff)
	}

	pair := anyone.login("ADA@example.com", goodPassword)
	if pair.TokenType != "Bearer" || pair.ExpiresIn != 900 {
		t.Errorf("tokens: %+v", pair)
	}
	if me := want[user](anyone.as(pair.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", ""); me != ada {
		t.Errorf("me is %+v, want %+v", me, ada)
	}

	next := want[tokens](anyone, http.StatusOK, http.MethodPost, "/auth/refresh", `{"refresh_token":"`+pair.RefreshToken+`"}`)
	want[user](anyone.as(next.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", "")
	want[any](anyone, http.StatusNoContent, http.MethodPost, "/auth/logout", `{"refresh_token":"`+next.RefreshToken+`"}`)
	want[any](anyone, http.StatusNoContent, http.MethodPost, "/auth/logout", `{"refresh_token":"never heard of"}`)
	wantProblem(t, anyone.refresh(next.RefreshToken), http.StatusUnauthorized, "invalid_refresh_token")

	admin := o.admin(anyone)
	created := want[apiKey](admin, http.StatusCreated, http.MethodPost, "/auth/api-keys", `{"name":"shop","scopes":["ingest","read"]}`)
	if !strings.HasPrefix(created.Key, "hpa_") || len(created.Key) < 40 {
		t.Errorf("key %q", created.Key)
	}
	list := want[struct{ Items []apiKey }](admin, http.StatusOK, http.MethodGet, "/auth/api-keys", "").Items
	listed := apiKey{ID: created.ID, Name: "shop", Prefix: created.Key[:8], Scopes: []string{"ingest", "read"}, CreatedAt: created.CreatedAt}
	if diff := cmp.Diff([]apiKey{listed}, list); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for range 2 { // revoking is idempotent
		want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/api-keys/"+created.ID, "")
	}
	list = want[struct{ Items []apiKey }](admin, http.StatusOK, http.MethodGet, "/auth/api-keys", "").Items
	if len(list) != 1 || list[0].RevokedAt == nil {
		t.Errorf("revoked: %+v", list)
	}

	here := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	want[any](here, http.StatusOK, http.MethodPost, "/auth/password", `{"password":"`+goodPassword+`","new_password":"`+otherPassword+`"}`)
	want[any](here, http.StatusNoContent, http.MethodDelete, "/auth/sessions", "")
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/users", "")
	want[any](admin, http.StatusOK, http.MethodPatch, "/auth/users/"+ada.ID, `{"disabled":false}`)
	want[any](admin, http.StatusOK, http.MethodPost, "/auth/users/"+ada.ID+"/password", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/users/"+ada.ID+"/sessions", "")

	keys := want[struct{ Keys []map[string]string }](anyone, http.StatusOK, http.MethodGet, "/auth/.well-known/jwks.json", "").Keys
	if len(keys) != 1 || keys[0]["kty"] != "OKP" || keys[0]["crv"] != "Ed25519" || keys[0]["d"] != "" {
		t.Errorf("key set %v", keys)
	}

	for _, path := range []string{"/health", "/ready", "/metrics", "/openapi.yaml", "/docs"} {
		if w := anyone.do(http.MethodGet, path, ""); w.Code >= 400 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if missing := o.checker.Missing("auth"); len(missing) > 0 {
		t.Errorf("operations that this test did not call: %v", missing)
	}
}

// TestOtherServicesVerifyTokens verifies a token as other services do: over HTTP, with the published keys.
func TestOtherServicesVerifyTokens(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	ada := anyone.register("ada@example.com")
	access := anyone.login("ada@example.com", goodPassword).AccessToken

	url := serve(t, anyone.handler)
	verifier := authn.NewVerifier(authn.Config{JWKSURL: url + "/auth/.well-known/jwks.json", JWKSRefresh: time.Hour}, nil, platformtest.Logger(t))
	platformtest.Go(t, verifier.Run)
	platformtest.Eventually(t, time.Minute, "the keys are fetched", func() bool { return verifier.Ready(t.Context()) == nil })
	p, err := verifier.Authenticate(t.Context(), "Bearer "+access)
	if err != nil || p.Subject != ada.ID || p.Role != authn.User {
		t.Errorf("principal %+v, %v; want user %s", p, err, ada.ID)
	}
}

// TestAPIKeys checks that API keys grant access by their scope, and that a revoked key stops working within seconds.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	machine := want[apiKey](admin, http.StatusCreated, http.MethodPost, "/auth/api-keys", `{"name":"ci","scopes":["admin"]}`)
	want[any](anyone.as(machine.Key), http.StatusOK, http.MethodGet, "/auth/api-keys", "")
	wantProblem(t, anyone.as(machine.Key).do(http.MethodGet, "/auth/me", ""), http.StatusForbidden, "forbidden")

	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/api-keys/"+machine.ID, "")
	platformtest.Eventually(t, time.Minute, "the revoked key is refused", func() bool {
		return anyone.as(machine.Key).do(http.MethodGet, "/auth/api-keys", "").Code == http.StatusUnauthorized
	})
}

// TestCommandLineAccounts checks that putting an existing account changes its password and role, and revokes its refresh
// tokens.
func TestCommandLineAccounts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("ada@example.com")
	before := anyone.login("ada@example.com", goodPassword)

	o.put("Ada@example.com", "another long password", authn.Analyst)
	wantProblem(t, anyone.do(http.MethodPost, "/auth/login", credentials("ada@example.com", goodPassword)), 401, "invalid_credentials")
	wantProblem(t, anyone.refresh(before.RefreshToken), 401, "invalid_refresh_token")
	after := anyone.login("ada@example.com", "another long password")
	if me := want[user](anyone.as(after.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", ""); me.Role != "analyst" {
		t.Errorf("role %s", me.Role)
	}
}
