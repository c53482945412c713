package auth_test

import (
	"net/http"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// TestAccessTokensEndWithTheirSession uses an admin's access token after everything that ends its session: under /auth it would
// otherwise make keys and invitations that outlive it.
func TestAccessTokensEndWithTheirSession(t *testing.T) {
	t.Parallel()
	const ada = "ada@example.com"
	for name, end := range map[string]func(o *office, root, me client, own tokens, id string){
		"a reset": func(_ *office, root, _ client, _ tokens, id string) {
			want[any](root, http.StatusOK, http.MethodPost, "/auth/users/"+id+"/password", "")
		},
		"disabled for a moment": func(_ *office, root, _ client, _ tokens, id string) {
			want[any](root, http.StatusOK, http.MethodPatch, "/auth/users/"+id, `{"disabled":true}`)
			want[any](root, http.StatusOK, http.MethodPatch, "/auth/users/"+id, `{"disabled":false}`)
		},
		"ended by an admin": func(_ *office, root, _ client, _ tokens, id string) {
			want[any](root, http.StatusNoContent, http.MethodDelete, "/auth/users/"+id+"/sessions", "")
		},
		"ended by oneself": func(_ *office, _, me client, _ tokens, _ string) {
			want[any](me, http.StatusNoContent, http.MethodDelete, "/auth/sessions", "")
		},
		"logout": func(_ *office, _, me client, own tokens, _ string) {
			want[any](me, http.StatusNoContent, http.MethodPost, "/auth/logout", `{"refresh_token":"`+own.RefreshToken+`"}`)
		},
		"a password by the command line": func(o *office, _, _ client, _ tokens, _ string) {
			o.put(ada, otherPassword, authn.Admin)
		},
		"a new password": func(_ *office, _, me client, _ tokens, _ string) {
			changed := want[struct{ Tokens tokens }](me, http.StatusOK, http.MethodPost, "/auth/password",
				`{"password":"`+goodPassword+`","new_password":"`+otherPassword+`"}`)
			me.as(changed.Tokens.AccessToken).makeKey(`"scopes":["admin"]`) // the new session works at once
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			anyone := o.start()
			root := o.admin(anyone)
			o.put(ada, goodPassword, authn.Admin)
			own := anyone.login(ada, goodPassword)
			me := anyone.as(own.AccessToken)
			me.makeKey(`"scopes":["read"]`)
			end(o, root, me, own, want[user](me, http.StatusOK, http.MethodGet, "/auth/me", "").ID)
			for _, request := range []struct{ method, path, body string }{
				{http.MethodPost, "/auth/api-keys", `{"name":"later","scopes":["admin"]}`},
				{http.MethodPost, "/auth/invitations", `{"role":"admin"}`},
				{http.MethodPost, "/auth/password", `{"password":"` + goodPassword + `","new_password":"` + otherPassword + `!"}`},
				{http.MethodGet, "/auth/me", ""},
			} {
				wantProblem(t, me.do(request.method, request.path, request.body), 401, "session_ended")
			}
		})
	}
}

// TestARefreshedTokenWorks checks that the access token of a refresh belongs to the session, as that of the login does.
func TestARefreshedTokenWorks(t *testing.T) {
	t.Parallel()
	anyone := newOffice(t).start()
	anyone.register("ada@example.com")
	login := anyone.login("ada@example.com", goodPassword)
	next := decode[tokens](t, anyone.refresh(login.RefreshToken))
	for _, token := range []string{login.AccessToken, next.AccessToken} {
		want[any](anyone.as(token), http.StatusOK, http.MethodGet, "/auth/me", "")
	}
}
