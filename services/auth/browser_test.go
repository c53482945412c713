package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// browser keeps the cookie of a session, as a page of the same origin does.
type browser struct {
	client
	cookie *http.Cookie
}

// post sends a request with the header Session and the cookie, and keeps what the answer sets.
func (b *browser) post(t *testing.T, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	headers = append([]string{"Session: cookie", "Sec-Fetch-Site: same-origin"}, headers...)
	if b.cookie != nil {
		headers = append(headers, "Cookie: "+b.cookie.Name+"="+b.cookie.Value)
	}
	w := b.do(http.MethodPost, path, body, headers...)
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
	return w
}

// TestBrowserSession checks that a browser's refresh token is only ever in the cookie, and that the cookie is renewed and ended.
func TestBrowserSession(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	o.put("ada@example.com", goodPassword, authn.User)
	b := &browser{client: anyone}
	credentials := `{"email":"ada@example.com","password":"` + goodPassword + `"}`

	w := b.post(t, "/auth/login", credentials)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "refresh_token") || decode[tokens](t, w).AccessToken == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	first := *b.cookie
	if !first.HttpOnly || first.SameSite != http.SameSiteStrictMode || first.Path != "" || first.Secure || first.MaxAge <= 0 {
		t.Errorf("the cookie is %+v", first)
	}
	if w := b.post(t, "/auth/refresh", `{}`); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "refresh_token") || b.cookie.Value == first.Value {
		t.Errorf("a refresh: %d %s", w.Code, w.Body)
	}
	if w := b.post(t, "/auth/refresh", `{}`, "X-Forwarded-Proto: HTTPS, http"); w.Code != http.StatusOK || !b.cookie.Secure {
		t.Errorf("over HTTPS: %d, the cookie is %+v", w.Code, b.cookie)
	}
	if w := b.post(t, "/auth/logout", `{}`); w.Code != http.StatusNoContent || b.cookie.MaxAge >= 0 || b.cookie.Value != "" {
		t.Errorf("a logout: %d, the cookie is %+v", w.Code, b.cookie)
	}
	b.cookie = &first
	wantProblem(t, b.post(t, "/auth/refresh", `{}`), 401, "invalid_refresh_token")
	if b.cookie.MaxAge >= 0 {
		t.Errorf("the cookie of a session that has ended is kept: %+v", b.cookie)
	}
	b.cookie = nil
	wantProblem(t, b.post(t, "/auth/refresh", `{}`), 401, "invalid_refresh_token")
	if w := b.post(t, "/auth/logout", `{}`); w.Code != http.StatusNoContent {
		t.Errorf("a logout without a session: %d %s", w.Code, w.Body)
	}
}

// TestPasswordChangeInABrowser checks that the session that a new password begins is in the cookie as well.
func TestPasswordChangeInABrowser(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	o.put("ada@example.com", goodPassword, authn.User)
	b := &browser{client: anyone}
	access := decode[tokens](t, b.post(t, "/auth/login", `{"email":"ada@example.com","password":"`+goodPassword+`"}`)).AccessToken
	old := b.cookie.Value
	w := b.post(t, "/auth/password", `{"password":"`+goodPassword+`","new_password":"staple of a better battery"}`, "Authorization: Bearer "+access)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "refresh_token") || b.cookie.Value == old {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.post(t, "/auth/refresh", `{}`); w.Code != http.StatusOK {
		t.Errorf("a refresh with the new cookie: %d %s", w.Code, w.Body)
	}
}

// TestOtherOrigins checks that pages of other origins can neither use the cookie of a session nor make one, and that the cookie alone
// does nothing.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	o.put("ada@example.com", goodPassword, authn.User)
	b := &browser{client: anyone}
	credentials := `{"email":"ada@example.com","password":"` + goodPassword + `"}`
	b.post(t, "/auth/login", credentials)
	cookie := "Cookie: " + b.cookie.Name + "=" + b.cookie.Value
	for _, foreign := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}} {
		for path, body := range map[string]string{"/auth/login": credentials, "/auth/refresh": `{}`, "/auth/logout": `{}`} {
			w := anyone.do(http.MethodPost, path, body, append([]string{"Session: cookie", cookie}, foreign...)...)
			wantProblem(t, w, 403, "cross_origin")
			if len(w.Result().Cookies()) > 0 {
				t.Errorf("%s %v: sets %v", path, foreign, w.Result().Cookies())
			}
		}
	}
	wantProblem(t, anyone.do(http.MethodPost, "/auth/refresh", `{}`, cookie), 422, "validation_failed", "/refresh_token required")
	wantProblem(t, anyone.do(http.MethodPost, "/auth/logout", `{}`, cookie), 422, "validation_failed", "/refresh_token required")
	if w := b.post(t, "/auth/refresh", `{}`); w.Code != http.StatusOK {
		t.Errorf("the session does not work any more: %d %s", w.Code, w.Body)
	}
}
