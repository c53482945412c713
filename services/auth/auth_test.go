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
	root := want[user](admin, http.StatusOK, http.MethodGet, "/auth/me", "")
	listed := apiKey{
		ID: created.ID, Project: "default", UnknownProducts: "refuse", Name: "shop", Prefix: created.Key[:8], Scopes: []string{"ingest", "read"}, CreatedAt: created.CreatedAt,
		CreatedBy: "user:" + root.ID, Account: root.Email,
	}
	if diff := cmp.Diff([]apiKey{listed}, list); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for _, n := range []int{1, 0} { // revoking is idempotent
		if got := admin.revoke(created.ID); got != n {
			t.Errorf("%d keys are revoked, want %d", got, n)
		}
	}
	list = want[struct{ Items []apiKey }](admin, http.StatusOK, http.MethodGet, "/auth/api-keys", "").Items
	if len(list) != 1 || list[0].RevokedAt == nil {
		t.Errorf("revoked: %+v", list)
	}

	here := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	changed := want[struct{ Tokens tokens }](here, http.StatusOK, http.MethodPost, "/auth/password",
		`{"password":"`+goodPassword+`","new_password":"`+otherPassword+`"}`)
	want[any](anyone.as(changed.Tokens.AccessToken), http.StatusNoContent, http.MethodDelete, "/auth/sessions", "")
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/users", "")
	want[any](admin, http.StatusOK, http.MethodPatch, "/auth/users/"+ada.ID, `{"disabled":false}`)
	want[any](admin, http.StatusOK, http.MethodPost, "/auth/users/"+ada.ID+"/password", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/users/"+ada.ID+"/sessions", "")

	invitation := want[invitation](admin, http.StatusCreated, http.MethodPost, "/auth/invitations", `{"role":"user"}`)
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/invitations", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/invitations/"+invitation.ID, "")

	want[any](admin, http.StatusCreated, http.MethodPost, "/auth/projects", `{"slug":"shop","name":"Shop"}`)
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/projects", "")
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/projects/shop", "")
	want[any](admin, http.StatusOK, http.MethodPatch, "/auth/projects/shop", `{"currency":"JPY"}`)
	want[any](admin, http.StatusOK, http.MethodPut, "/auth/projects/shop/members/"+ada.ID, `{"role":"viewer"}`)
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/projects/shop/members", "")
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/projects/shop/audit", "")
	want[any](admin, http.StatusOK, http.MethodGet, "/auth/audit", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/projects/shop/members/"+ada.ID, "")
	for _, path := range []string{"/auth/projects/shop/invitations", "/auth/projects/default/invitations"} {
		joined := want[struct{ ID, Token string }](admin, http.StatusCreated, http.MethodPost, path, `{"role":"viewer"}`)
		want[any](admin, http.StatusOK, http.MethodGet, path, "")
		want[any](admin, http.StatusNoContent, http.MethodDelete, path+"/"+joined.ID, "")
	}

	anyone.register("bob@example.com")
	bob := anyone.as(anyone.login("bob@example.com", goodPassword).AccessToken)
	open := want[struct{ Token string }](admin, http.StatusCreated, http.MethodPost, "/auth/projects/shop/invitations", `{"role":"viewer"}`)
	want[any](bob, http.StatusOK, http.MethodPost, "/auth/invitations/accept", `{"invitation":"`+open.Token+`"}`)

	admin.project = "shop"
	link := want[shareLink](admin, http.StatusCreated, http.MethodPost, shareLinks, shareRequest(""))
	want[any](admin, http.StatusOK, http.MethodGet, shareLinks, "")
	want[any](anyone, http.StatusOK, http.MethodPost, shareLinks+"/open", `{"secret":"`+link.Secret+`"}`)
	want[any](admin, http.StatusNoContent, http.MethodDelete, shareLinks+"/"+link.ID, "")

	hook := want[apiKey](admin, http.StatusCreated, http.MethodPost, "/auth/api-keys", `{"name":"shop","kind":"shopify","scopes":["ingest"]}`)
	want[any](admin, http.StatusNoContent, http.MethodPut, "/auth/api-keys/"+hook.ID+"/signing-secret", `{"secret":"shpss_0123456789"}`)

	noted := want[annotation](admin, http.StatusCreated, http.MethodPost, annotations, `{"day":"2026-03-14","text":"Campaign"}`)
	want[any](admin, http.StatusOK, http.MethodGet, annotations, "")
	want[any](admin, http.StatusOK, http.MethodPut, annotations+"/"+noted.ID, `{"day":"2026-03-15","text":"Campaign"}`)
	want[any](admin, http.StatusNoContent, http.MethodDelete, annotations+"/"+noted.ID, "")
	saved := want[savedView](admin, http.StatusCreated, http.MethodPost, views, `{"name":"Week","address":"/","shared":true}`)
	want[any](admin, http.StatusOK, http.MethodGet, views, "")
	want[any](admin, http.StatusOK, http.MethodPut, views+"/"+saved.ID, `{"name":"Days","address":"/","shared":true}`)
	want[any](admin, http.StatusNoContent, http.MethodDelete, views+"/"+saved.ID, "")

	digest := digests + "/" + want[digestMade](admin, http.StatusCreated, http.MethodPost, digests, `{"name":"Day","every":"day","hour":8,"url":"https://example.com","enabled":true}`).Digest.ID
	want[any](admin, http.StatusOK, http.MethodGet, digests, "")
	want[any](admin, http.StatusOK, http.MethodPut, digest, `{"name":"Day","every":"day","hour":9,"url":"https://example.com","enabled":true}`)
	want[any](admin, http.StatusAccepted, http.MethodPost, digest+"/test", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, digest, "")
	alert := alerts + "/" + want[alertMade](admin, http.StatusCreated, http.MethodPost, alerts, fewOrders).Alert.ID
	want[any](admin, http.StatusOK, http.MethodGet, alerts, "")
	want[any](admin, http.StatusOK, http.MethodGet, alert, "")
	want[any](admin, http.StatusOK, http.MethodGet, alert+"/evaluations", "")
	want[any](admin, http.StatusOK, http.MethodPut, alert, fewOrders)
	want[any](admin, http.StatusAccepted, http.MethodPost, alert+"/test", "")
	want[any](admin, http.StatusNoContent, http.MethodDelete, alert, "")

	keys := want[struct{ Keys []map[string]string }](anyone, http.StatusOK, http.MethodGet, "/auth/.well-known/jwks.json", "").Keys
	if len(keys) != 1 || keys[0]["kty"] != "OKP" || keys[0]["crv"] != "Ed25519" || keys[0]["d"] != "" {
		t.Errorf("key set %v", keys)
	}

	for _, path := range []string{"/health", "/ready", "/metrics", "/openapi.yaml", "/docs", "/", "/app", "/hp.js"} {
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

	admin.revoke(machine.ID)
	platformtest.Eventually(t, time.Minute, "the revoked key is refused", func() bool {
		return anyone.as(machine.Key).do(http.MethodGet, "/auth/api-keys", "").Code == http.StatusUnauthorized
	})
}

// TestAPIKeysExpire lets a key expire and checks that it is refused by name, and what its expiry may be.
func TestAPIKeysExpire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	key := admin.makeKey(`"scopes":["admin"],"expires_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)
	if key.ExpiresAt == nil || time.Until(*key.ExpiresAt) > time.Hour {
		t.Errorf("the key expires at %v", key.ExpiresAt)
	}
	o.execute(`UPDATE auth.api_keys SET expires_at = now() WHERE id = $1`, key.ID)
	wantProblem(t, anyone.as(key.Key).do(http.MethodGet, "/auth/api-keys", ""), http.StatusUnauthorized, "api_key_expired")

	for at, code := range map[time.Time]string{
		time.Now():                     "in_the_past",
		time.Now().AddDate(5, 1, 0):    "too_late",
		time.Now().AddDate(7000, 0, 0): "too_late",
	} {
		body := `{"name":"test","scopes":["read"],"expires_at":"` + at.Format(time.RFC3339Nano) + `"}`
		wantProblem(t, admin.do(http.MethodPost, "/auth/api-keys", body), http.StatusUnprocessableEntity, "validation_failed", "/expires_at "+code)
	}
	for _, at := range []string{"2027-01-01T00:00:60Z", "2027-02-30T00:00:00Z", "2027-01-01T00:00:00+24:00", "2027-01-01t00:00:00z"} {
		wantProblem(t, admin.do(http.MethodPost, "/auth/api-keys", `{"name":"test","scopes":["read"],"expires_at":"`+at+`"}`),
			http.StatusUnprocessableEntity, "validation_failed", "/expires_at invalid_format")
	}
	wantProblem(t, admin.do(http.MethodPost, "/auth/api-keys", `{"name":"test","scopes":["read","ingest"],"delegate":true}`),
		http.StatusUnprocessableEntity, "validation_failed", "/delegate needs_admin")
}

// TestKeysThatMakeKeys makes keys with keys, over HTTP.
func TestKeysThatMakeKeys(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	plain, delegating := admin.makeKey(`"scopes":["admin"]`), admin.makeKey(`"scopes":["admin"],"delegate":true`)
	wantProblem(t, anyone.as(plain.Key).do(http.MethodPost, "/auth/api-keys", `{"name":"test","scopes":["admin"]}`),
		http.StatusForbidden, "delegation_required")
	reader := anyone.as(plain.Key).makeKey(`"scopes":["read"]`)
	child := anyone.as(delegating.Key).makeKey(`"scopes":["admin"]`)
	for _, k := range want[struct{ Items []apiKey }](admin, http.StatusOK, http.MethodGet, "/auth/api-keys", "").Items {
		by := map[string]string{reader.ID: "key:" + plain.ID, child.ID: "key:" + delegating.ID}
		if maker, ok := by[k.ID]; ok && (k.CreatedBy != maker || k.Account != "root@example.com" || k.LastUsedAt != nil) {
			t.Errorf("%+v, want made by %s", k, maker)
		}
		if k.ID == plain.ID && k.LastUsedAt == nil {
			t.Error("a used key has no time of use")
		}
	}
	if n := admin.revoke(delegating.ID); n != 2 {
		t.Errorf("%d keys are revoked, want 2", n)
	}
}

// TestKeysOfAFormerAdminStopWorking disables an admin who has a key and a token, or takes the role away.
func TestKeysOfAFormerAdminStopWorking(t *testing.T) {
	t.Parallel()
	for code, change := range map[string]string{
		"role_changed":     `WITH left_all AS (DELETE FROM auth.members) UPDATE auth.users SET role = 'user'`,
		"account_disabled": `UPDATE auth.users SET disabled_at = now()`,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			anyone := o.start()
			admin := o.admin(anyone)
			key := admin.makeKey(`"scopes":["read"]`)
			o.execute(change)
			wantProblem(t, admin.do(http.MethodPost, "/auth/api-keys", `{"name":"test","scopes":["read"]}`), http.StatusUnauthorized, code)
			wantProblem(t, anyone.as(key.Key).do(http.MethodGet, "/auth/api-keys", ""), http.StatusUnauthorized, "invalid_api_key")
		})
	}
}

// TestDisablingAnAccountSaysHowManyKeysStop disables an admin who has keys, of which one was made with another.
func TestDisablingAnAccountSaysHowManyKeysStop(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	root := o.admin(anyone)
	o.put("second@example.com", goodPassword, authn.Admin)
	second := anyone.as(anyone.login("second@example.com", goodPassword).AccessToken)
	key := second.makeKey(`"scopes":["admin"]`)
	child := anyone.as(key.Key).makeKey(`"scopes":["read"]`)
	second.revoke(second.makeKey(`"scopes":["read"]`).ID)
	o.execute(`UPDATE auth.api_keys SET expires_at = now() WHERE id = $1`, second.makeKey(`"scopes":["read"]`).ID)
	me := want[user](second, http.StatusOK, http.MethodGet, "/auth/me", "")
	if a := want[listedUser](root, http.StatusOK, http.MethodPatch, "/auth/users/"+me.ID, `{"disabled":true}`); a.APIKeys != 2 {
		t.Errorf("%d keys stop working, want 2", a.APIKeys)
	}
	w := anyone.as(child.Key).do(http.MethodGet, "/auth/api-keys", "")
	wantProblem(t, w, http.StatusUnauthorized, "invalid_api_key")
	if !strings.Contains(w.Body.String(), "its account is disabled") {
		t.Errorf("a key of a disabled account is told: %s", w.Body)
	}
}

// TestCommandLineAccounts checks that putting an existing account changes its password and role, and revokes its refresh
// tokens.
func TestCommandLineAccounts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("ada@example.com")
	before := anyone.login("ada@example.com", goodPassword)

	o.put("Ada@example.com", "another long password", authn.Admin)
	wantProblem(t, anyone.do(http.MethodPost, "/auth/login", credentials("ada@example.com", goodPassword)), 401, "invalid_credentials")
	wantProblem(t, anyone.refresh(before.RefreshToken), 401, "invalid_refresh_token")
	after := anyone.login("ada@example.com", "another long password")
	if me := want[user](anyone.as(after.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", ""); me.Role != "admin" {
		t.Errorf("role %s", me.Role)
	}
}
