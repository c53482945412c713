package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
)

type invitation struct {
	ID        string  `json:"id"`
	Role      string  `json:"role"`
	Token     string  `json:"token"`
	UsedAt    *string `json:"used_at"`
	UsedBy    *string `json:"used_by"`
	CreatedBy *string `json:"created_by"`
}

type invitationPage struct {
	Items      []invitation `json:"items"`
	NextCursor *string      `json:"next_cursor"`
}

func (c client) invite(role authn.Role) invitation {
	c.t.Helper()
	return want[invitation](c, http.StatusCreated, http.MethodPost, "/auth/invitations", `{"role":"`+string(role)+`"}`)
}

// accept registers with an invitation.
func (c client) accept(email, token string) *httptest.ResponseRecorder {
	body := strings.TrimSuffix(credentials(email, goodPassword), "}") + `,"invitation":"` + token + `"}`
	return c.do(http.MethodPost, "/auth/register", body)
}

// TestWhoMayRegister goes through the settings.
func TestWhoMayRegister(t *testing.T) {
	t.Parallel()
	for setting, test := range map[api.Registration]struct{ without, with int }{
		api.RegistrationOpen:   {http.StatusCreated, http.StatusCreated},
		api.RegistrationInvite: {http.StatusForbidden, http.StatusCreated},
		api.RegistrationClosed: {http.StatusForbidden, http.StatusForbidden},
	} {
		t.Run(string(setting), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.change = func(cfg *auth.Config) { cfg.Registration = setting }
			anyone := o.start()
			admin := o.admin(anyone)
			token := admin.invite(authn.Admin).Token
			for name, answer := range map[string]struct {
				w      *httptest.ResponseRecorder
				status int
			}{
				"without an invitation": {anyone.do(http.MethodPost, "/auth/register", credentials("ada@example.com", goodPassword)), test.without},
				"a bad password":        {anyone.do(http.MethodPost, "/auth/register", credentials("eve@example.com", "Password123")), test.without},
				"with an invitation":    {anyone.accept("bob@example.com", token), test.with},
			} {
				switch {
				case answer.status == http.StatusForbidden:
					wantProblem(t, answer.w, http.StatusForbidden, "registration_closed")
				case name == "a bad password":
					wantProblem(t, answer.w, http.StatusUnprocessableEntity, "validation_failed", "/password password_too_common")
				case answer.w.Code != answer.status:
					t.Errorf("%s: %s", name, answer.w.Body)
				}
			}
		})
	}
}

// TestInvitation follows an invitation from its maker to the account that it makes.
func TestInvitation(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.Registration = api.RegistrationInvite }
	anyone := o.start()
	admin := o.admin(anyone)
	invited := admin.invite(authn.Admin)

	o.put("taken@example.com", goodPassword, authn.User)
	wantProblem(t, anyone.accept("taken@example.com", invited.Token), 409, "email_taken", "/email email_taken")
	ada := want[user](anyone, http.StatusCreated, http.MethodPost, "/auth/register",
		`{"email":"ada@example.com","password":"`+goodPassword+`","invitation":"`+invited.Token+`"}`) // the refused try did not use it up
	if ada.Role != "admin" {
		t.Errorf("the account is %+v", ada)
	}
	for range 2 {
		admin.invite(authn.User)
	}
	first := want[invitationPage](admin, http.StatusOK, http.MethodGet, "/auth/invitations?limit=2", "")
	if len(first.Items) != 2 || first.NextCursor == nil {
		t.Fatalf("the first page is %+v", first)
	}
	last := want[invitationPage](admin, http.StatusOK, http.MethodGet, "/auth/invitations?limit=2&cursor="+*first.NextCursor, "")
	if len(last.Items) != 1 || last.NextCursor != nil || last.Items[0].UsedBy == nil || *last.Items[0].UsedBy != ada.ID || last.Items[0].Token != "" {
		t.Errorf("the last page is %+v", last)
	}
	if n := o.execute(`UPDATE auth.invitations SET role = role WHERE position($1 in invitations::text) > 0`, invited.Token[4:47]); n != 0 {
		t.Error("the token is stored as it is")
	}
}

// TestInvitationsThatAreVoid gets one answer for all of them.
func TestInvitationsThatAreVoid(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start() // registration is open: an invitation that is void is refused all the same
	admin := o.admin(anyone)
	o.put("second@example.com", goodPassword, authn.Admin)
	second := anyone.as(anyone.login("second@example.com", goodPassword).AccessToken)
	secondID := want[user](second, http.StatusOK, http.MethodGet, "/auth/me", "").ID

	used, expired, revoked, ofDisabled := admin.invite(authn.User), admin.invite(authn.User), admin.invite(authn.User), second.invite(authn.Admin)
	if w := anyone.accept("used@example.com", used.Token); w.Code != http.StatusCreated {
		t.Fatalf("a good invitation: %s", w.Body)
	}
	o.execute(`UPDATE auth.invitations SET expires_at = now() WHERE id = $1`, expired.ID)
	for range 2 { // revoking is idempotent
		want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/invitations/"+revoked.ID, "")
	}
	wantProblem(t, admin.do(http.MethodDelete, "/auth/invitations/"+used.ID, ""), 409, "invitation_used")
	want[any](admin, http.StatusOK, http.MethodPatch, "/auth/users/"+secondID, `{"disabled":true}`)
	void := map[string]string{
		"used": used.Token, "expired": expired.Token, "revoked": revoked.Token, "of a disabled admin": ofDisabled.Token,
		"unknown": "hpi_" + strings.Repeat("A", 43) + "00000000", "of the wrong shape": "x", "an API key": authn.NewKey(),
	}
	for name, token := range void {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, anyone.accept("eve@example.com", token), 403, "invalid_invitation")
		})
	}
	want[any](admin, http.StatusOK, http.MethodPatch, "/auth/users/"+secondID, `{"disabled":false}`)
	o.put("second@example.com", goodPassword, authn.Analyst)
	wantProblem(t, anyone.accept("eve@example.com", ofDisabled.Token), 403, "invalid_invitation") // no admin any more
	if n := o.execute(`UPDATE auth.users SET name = name WHERE email = 'eve@example.com'`); n != 0 {
		t.Error("an account was made")
	}
	wantProblem(t, admin.do(http.MethodDelete, "/auth/invitations/"+uuid.NewString(), ""), 404, "unknown_invitation")
}

func TestGuessedInvitationsAreLimited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.RegisterRefusedLimit = 3 }
	anyone := o.start()
	wantLimitedAfter(t, 3, 403, "invalid_invitation", func(int) *httptest.ResponseRecorder { return anyone.accept("eve@example.com", "hpi_guess") })
	wantProblem(t, anyone.from("10.9.9.9:1").accept("eve@example.com", "hpi_guess"), 403, "invalid_invitation")
}

// TestOpenRegistrationIsToldAtTheStart checks that the log warns exactly if strangers may reach an open registration.
func TestOpenRegistrationIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		addr    string
		setting api.Registration
		warned  bool
	}{
		{":8080", api.RegistrationOpen, true}, {"0.0.0.0:8080", api.RegistrationOpen, true}, {"[2001:db8::1]:80", api.RegistrationOpen, true},
		{"shop.example.com:80", api.RegistrationOpen, true}, {"10.0.0.1:80", api.RegistrationOpen, true},
		{"127.0.0.1:8080", api.RegistrationOpen, false}, {"127.0.0.2:80", api.RegistrationOpen, false}, {"[::1]:80", api.RegistrationOpen, false},
		{"localhost:80", api.RegistrationOpen, false},
		{":8080", api.RegistrationInvite, false}, {":8080", api.RegistrationClosed, false},
	} {
		o := newOffice(t)
		var lines log
		o.logs = &lines
		o.change = func(cfg *auth.Config) { cfg.Registration, cfg.HTTP.Addr = test.setting, test.addr }
		o.build()
		if got := strings.Contains(lines.String(), "registration is open"); got != test.warned {
			t.Errorf("%s at %s: warned %t", test.setting, test.addr, got)
		}
	}
}
