package auth_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

const otherPassword = "staple of a better battery"

// listedUser is an account as admins see it.
type listedUser struct {
	ID                string  `json:"id"`
	Email             string  `json:"email"`
	Role              string  `json:"role"`
	LastLoginAt       *string `json:"last_login_at"`
	DisabledAt        *string `json:"disabled_at"`
	APIKeys           int     `json:"api_keys"`
	PasswordTemporary bool    `json:"password_temporary"`
}

type userPage struct {
	Items      []listedUser `json:"items"`
	NextCursor *string      `json:"next_cursor"`
}

// find returns an account from the list.
func (c client) find(email string) listedUser {
	c.t.Helper()
	page := want[userPage](c, http.StatusOK, http.MethodGet, "/auth/users?email="+email, "")
	if len(page.Items) != 1 {
		c.t.Fatalf("%d accounts have the address %s", len(page.Items), email)
	}
	return page.Items[0]
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	anyone.register("ada@example.com")
	elsewhere := anyone.login("ada@example.com", goodPassword)
	here := anyone.login("ada@example.com", goodPassword)
	const path = "/auth/password"
	body := func(old, next string) string { return `{"password":"` + old + `","new_password":"` + next + `"}` }
	me := anyone.as(here.AccessToken)

	wantProblem(t, me.do(http.MethodPost, path, body("wrong", otherPassword)), 403, "wrong_password")
	wantProblem(t, me.do(http.MethodPost, path, body(goodPassword, goodPassword)), 422, "validation_failed", "/new_password password_unchanged")
	wantProblem(t, me.do(http.MethodPost, path, body(goodPassword, "Password123")), 422, "validation_failed", "/new_password password_too_common")
	wantProblem(t, me.do(http.MethodPost, path, body(goodPassword, "ADA@example.com")), 422, "validation_failed", "/new_password password_too_common")
	if w := anyone.refresh(elsewhere.RefreshToken); w.Code != http.StatusOK {
		t.Errorf("a refused change has ended a session: %s", w.Body)
	}

	changed := want[struct {
		SessionsEnded int    `json:"sessions_ended"`
		Tokens        tokens `json:"tokens"`
	}](me, http.StatusOK, http.MethodPost, path, body(goodPassword, otherPassword))
	if changed.SessionsEnded != 2 {
		t.Errorf("%d sessions have ended, want 2", changed.SessionsEnded)
	}
	for _, old := range []tokens{elsewhere, here} {
		wantProblem(t, anyone.refresh(old.RefreshToken), 401, "invalid_refresh_token")
	}
	want[any](anyone.as(changed.Tokens.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", "")
	if w := anyone.refresh(changed.Tokens.RefreshToken); w.Code != http.StatusOK {
		t.Errorf("the new session: %s", w.Body)
	}
	wantProblem(t, anyone.do(http.MethodPost, "/auth/login", credentials("ada@example.com", goodPassword)), 401, "invalid_credentials")
	anyone.login("ada@example.com", otherPassword)
}

// TestResetPassword follows a password that an admin resets, until its owner has replaced it.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	ada := anyone.register("ada@example.com")
	before := anyone.login("ada@example.com", goodPassword)
	admin := o.admin(anyone)
	reset := func() string {
		return want[struct{ Password string }](admin, http.StatusOK, http.MethodPost, "/auth/users/"+ada.ID+"/password", "").Password
	}
	login := func(password, next string) string {
		return `{"email":"ada@example.com","password":"` + password + `","new_password":"` + next + `"}`
	}
	const path = "/auth/login"

	first := reset()
	if !admin.find("ada@example.com").PasswordTemporary {
		t.Error("the list does not say that the password is temporary")
	}
	wantProblem(t, anyone.refresh(before.RefreshToken), 401, "invalid_refresh_token")
	wantProblem(t, anyone.do(http.MethodPost, path, credentials("ada@example.com", goodPassword)), 401, "invalid_credentials")
	wantProblem(t, anyone.do(http.MethodPost, path, credentials("ada@example.com", first)), 403, "password_change_required")
	wantProblem(t, anyone.do(http.MethodPost, path, login(first, first)), 422, "validation_failed", "/new_password password_unchanged")
	wantProblem(t, anyone.do(http.MethodPost, path, login("wrong", otherPassword)), 401, "invalid_credentials")
	after := want[tokens](anyone, http.StatusOK, http.MethodPost, path, login(first, otherPassword))
	want[any](anyone.as(after.AccessToken), http.StatusOK, http.MethodGet, "/auth/me", "")
	wantProblem(t, anyone.do(http.MethodPost, path, login(first, goodPassword)), 401, "invalid_credentials") // it was for one time
	anyone.login("ada@example.com", otherPassword)
	if admin.find("ada@example.com").PasswordTemporary {
		t.Error("the list says that the password is temporary")
	}

	late := reset()
	o.execute(`UPDATE auth.users SET password_expires_at = now() WHERE password_expires_at IS NOT NULL`)
	wantProblem(t, anyone.do(http.MethodPost, path, login(late, goodPassword)), 401, "invalid_credentials")

	me := want[user](admin, http.StatusOK, http.MethodGet, "/auth/me", "")
	wantProblem(t, admin.do(http.MethodPost, "/auth/users/"+me.ID+"/password", ""), 409, "own_account")
	wantProblem(t, admin.do(http.MethodPost, "/auth/users/"+uuid.NewString()+"/password", ""), 404, "unknown_account")
}

func TestDisable(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	ada := anyone.register("ada@example.com")
	before := anyone.login("ada@example.com", goodPassword)
	admin := o.admin(anyone)
	path := "/auth/users/" + ada.ID

	if disabled := want[listedUser](admin, http.StatusOK, http.MethodPatch, path, `{"disabled":true}`); disabled.DisabledAt == nil {
		t.Error("the answer does not say since when")
	}
	wantProblem(t, anyone.refresh(before.RefreshToken), 401, "invalid_refresh_token")
	wantProblem(t, anyone.as(before.AccessToken).do(http.MethodGet, "/auth/me", ""), 401, "account_disabled")
	login := func(password string) string { return credentials("ada@example.com", password) }
	wantProblem(t, anyone.do(http.MethodPost, "/auth/login", login(goodPassword)), 403, "account_disabled")
	wantProblem(t, anyone.do(http.MethodPost, "/auth/login", login("wrong")), 401, "invalid_credentials") // nothing for strangers

	want[any](admin, http.StatusOK, http.MethodPatch, path, `{"disabled":false}`)
	wantProblem(t, anyone.refresh(before.RefreshToken), 401, "invalid_refresh_token") // it stays revoked
	anyone.login("ada@example.com", goodPassword)

	me := want[user](admin, http.StatusOK, http.MethodGet, "/auth/me", "")
	wantProblem(t, admin.do(http.MethodPatch, "/auth/users/"+me.ID, `{"disabled":true}`), 409, "own_account")
	wantProblem(t, admin.do(http.MethodPatch, "/auth/users/"+uuid.NewString(), `{"disabled":true}`), 404, "unknown_account")
	wantProblem(t, admin.do(http.MethodPatch, path, `{}`), 422, "validation_failed", "/disabled required")
}

// TestARoleThatWasTakenAway uses the token of a former admin, which would otherwise hand out rights that outlive it.
func TestARoleThatWasTakenAway(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	former := o.admin(anyone)
	o.put("root@example.com", goodPassword, authn.Analyst)
	for _, request := range []struct{ method, path, body string }{
		{http.MethodPost, "/auth/api-keys", `{"name":"later","scopes":["admin"]}`},
		{http.MethodGet, "/auth/users", ""},
		{http.MethodPost, "/auth/users/" + uuid.NewString() + "/password", ""},
	} {
		wantProblem(t, former.do(request.method, request.path, request.body), 401, "role_changed")
	}
}

func TestEndSessions(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	ada := anyone.register("ada@example.com")
	admin := o.admin(anyone)
	bob := anyone.register("bob@example.com")
	other := anyone.login("bob@example.com", goodPassword)
	for name, end := range map[string]func(access string){
		"one's own": func(access string) {
			want[any](anyone.as(access), http.StatusNoContent, http.MethodDelete, "/auth/sessions", "")
		},
		"by an admin": func(string) {
			want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/users/"+ada.ID+"/sessions", "")
		},
	} {
		first, second := anyone.login("ada@example.com", goodPassword), anyone.login("ada@example.com", goodPassword)
		end(first.AccessToken)
		for _, pair := range []tokens{first, second} {
			if w := anyone.refresh(pair.RefreshToken); w.Code != http.StatusUnauthorized {
				t.Errorf("%s: a session lives on: %s", name, w.Body)
			}
		}
	}
	if w := anyone.refresh(other.RefreshToken); w.Code != http.StatusOK {
		t.Errorf("the session of another account has ended: %s", w.Body)
	}
	wantProblem(t, anyone.as(other.AccessToken).do(http.MethodDelete, "/auth/users/"+bob.ID+"/sessions", ""), 403, "forbidden")
	wantProblem(t, admin.do(http.MethodDelete, "/auth/users/"+uuid.NewString()+"/sessions", ""), 404, "unknown_account")
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	expected := []string{"root@example.com"}
	admin := o.admin(anyone)
	for i := range 4 {
		email := fmt.Sprintf("u%d@example.com", i)
		anyone.register(email)
		expected = append([]string{email}, expected...)
	}
	var got []string
	for target := "/auth/users?limit=2"; target != ""; {
		page := want[userPage](admin, http.StatusOK, http.MethodGet, target, "")
		for _, u := range page.Items {
			got = append(got, u.Email)
		}
		if target = ""; page.NextCursor != nil {
			target = "/auth/users?limit=2&cursor=" + *page.NextCursor
		}
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if root := admin.find("ROOT@example.com"); root.LastLoginAt == nil || root.Role != "admin" {
		t.Errorf("the admin is listed as %+v", root)
	}
	if u := admin.find("u1@example.com"); u.LastLoginAt != nil {
		t.Errorf("an account that never logged in is listed as %+v", u)
	}
	if none := want[userPage](admin, http.StatusOK, http.MethodGet, "/auth/users?email=nobody@example.com", ""); len(none.Items) != 0 {
		t.Errorf("nobody is %+v", none.Items)
	}
	wantProblem(t, admin.do(http.MethodGet, "/auth/users?email=a%00@example.com", ""), 422, "validation_failed", "/query/email invalid_value")
}

// log collects the log of replicas.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
