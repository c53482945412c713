package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

type auditEntry struct {
	ID    string `json:"id"`
	Actor struct {
		Kind  string  `json:"kind"`
		ID    string  `json:"id"`
		Email *string `json:"email"`
	} `json:"actor"`
	Project   *string         `json:"project"`
	Action    string          `json:"action"`
	Subject   string          `json:"subject"`
	Details   json.RawMessage `json:"details"`
	RequestID *string         `json:"request_id"`
	Address   *string         `json:"address"`
}

type auditPage struct {
	Items      []auditEntry `json:"items"`
	NextCursor *string      `json:"next_cursor"`
}

// actions returns the actions of a page of the log as "actor action subject", oldest first.
func (p auditPage) actions() []string {
	var lines []string
	for _, e := range slices.Backward(p.Items) {
		line := e.Actor.Kind + " " + e.Action + " " + e.Subject
		if e.Project != nil {
			line += " in " + *e.Project
		}
		lines = append(lines, line)
	}
	return lines
}

func (c client) audit(query string) auditPage {
	c.t.Helper()
	return want[auditPage](c, http.StatusOK, http.MethodGet, "/auth/audit"+query, "")
}

// TestAudit does everything that an admin, an owner, their keys and the people that they invite can do, and reads it in the log.
func TestAudit(t *testing.T) {
	t.Parallel()
	const post, patch, put, del = http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	anyone := o.start()
	ada := anyone.register("ada@example.com")
	admin := o.admin(anyone)
	me := want[user](admin, http.StatusOK, http.MethodGet, "/auth/me", "")

	path := "/auth/users/" + ada.ID
	temporary := want[struct{ Password string }](admin, http.StatusOK, post, path+"/password", "").Password
	want[any](admin, http.StatusOK, patch, path, `{"disabled":true}`)
	want[any](admin, http.StatusOK, patch, path, `{"disabled":false}`)
	want[any](admin, http.StatusNoContent, del, path+"/sessions", "")
	want[any](anyone, http.StatusOK, post, "/auth/login", `{"email":"ada@example.com","password":"`+temporary+`","new_password":"`+goodPassword+`"}`)
	admin.createProject("shop")
	want[any](admin, http.StatusOK, patch, "/auth/projects/shop", `{"name":"Laden","max_event_age_days":7}`)
	want[any](admin, http.StatusOK, patch, "/auth/projects/shop", `{"name":"Laden"}`) // changes nothing
	const members = "/auth/projects/shop/members/"
	want[any](admin, http.StatusOK, put, members+ada.ID, `{"role":"owner"}`)
	want[any](admin, http.StatusOK, put, members+ada.ID, `{"role":"owner"}`) // changes nothing
	want[any](admin, http.StatusOK, put, members+ada.ID, `{"role":"viewer"}`)
	want[any](admin, http.StatusNoContent, del, members+ada.ID, "")
	key := want[apiKey](admin.in("shop"), http.StatusCreated, post, "/auth/api-keys", `{"name":"shop","scopes":["admin"],"delegate":true}`)
	made := want[apiKey](anyone.as(key.Key), http.StatusCreated, post, "/auth/api-keys", `{"name":"job","scopes":["read"]}`)
	want[any](admin.in("shop"), http.StatusOK, del, "/auth/api-keys/"+key.ID, "")
	want[any](admin.in("shop"), http.StatusOK, del, "/auth/api-keys/"+key.ID, "") // changes nothing
	invited := admin.invite(authn.User)
	want[any](admin, http.StatusNoContent, del, "/auth/invitations/"+invited.ID, "")
	joins := want[struct{ ID, Token string }](admin, http.StatusCreated, post, "/auth/projects/shop/invitations", `{"role":"analyst"}`)
	ada2 := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	want[any](ada2, http.StatusOK, post, "/auth/invitations/accept", `{"invitation":"`+joins.Token+`"}`)
	registers := want[struct{ ID, Token string }](admin, http.StatusCreated, post, "/auth/projects/shop/invitations", `{"role":"viewer"}`)
	eve := want[user](anyone, http.StatusCreated, post, "/auth/register",
		`{"email":"eve@example.com","password":"`+goodPassword+`","invitation":"`+registers.Token+`"}`)
	spare := want[struct{ ID, Token string }](admin, http.StatusCreated, post, "/auth/projects/shop/invitations", `{"role":"viewer"}`)
	want[any](admin, http.StatusNoContent, del, "/auth/projects/shop/invitations/"+spare.ID, "")

	log := admin.audit("")
	expected := []string{
		"command account.created account:" + me.ID,
		"user account.password_reset account:" + ada.ID,
		"user account.disabled account:" + ada.ID,
		"user account.enabled account:" + ada.ID,
		"user account.sessions_ended account:" + ada.ID,
		"user project.created project:shop in shop",
		"user project.changed project:shop in shop",
		"user member.added account:" + ada.ID + " in shop",
		"user member.role_changed account:" + ada.ID + " in shop",
		"user member.removed account:" + ada.ID + " in shop",
		"user key.created key:" + key.ID + " in shop",
		"key key.created key:" + made.ID + " in shop",
		"user key.revoked key:" + key.ID + " in shop",
		"user invitation.created invitation:" + invited.ID,
		"user invitation.revoked invitation:" + invited.ID,
		"user invitation.created invitation:" + joins.ID + " in shop",
		"user invitation.accepted invitation:" + joins.ID + " in shop",
		"user invitation.created invitation:" + registers.ID + " in shop",
		"user account.registered invitation:" + registers.ID + " in shop",
		"user invitation.created invitation:" + spare.ID + " in shop",
		"user invitation.revoked invitation:" + spare.ID + " in shop",
	}
	if diff := cmp.Diff(expected, log.actions()); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	for _, e := range log.Items {
		switch {
		case e.Actor.Kind == "command":
			if e.RequestID != nil || e.Address != nil || e.Actor.ID == "" {
				t.Errorf("a command: %+v", e)
			}
			continue
		case e.RequestID == nil || e.Address == nil || *e.Address != "192.0.2.1":
			t.Errorf("a request: %+v", e)
		}
		who, email := me.ID, "root@example.com"
		switch {
		case e.Actor.Kind == "key":
			who = key.ID
		case e.Action == "invitation.accepted":
			who, email = ada.ID, "ada@example.com"
		case e.Action == "account.registered":
			who, email = eve.ID, "eve@example.com"
		}
		if e.Actor.ID != who || e.Actor.Email == nil || *e.Actor.Email != email {
			t.Errorf("%s was done by %+v, want %s", e.Action, e.Actor, email)
		}
	}
	text, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{temporary, goodPassword, key.Key, made.Key, invited.Token, joins.Token, registers.Token, "argon2"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the log holds the secret %.8s…", secret)
		}
	}
	if !strings.Contains(string(text), `"details":{"max_event_age_days":[null,7],"name":["shop","Laden"]}`) {
		t.Errorf("the log does not show what changed of the project: %s", text)
	}
}

// TestActionsAndRowsShareTheirFate revokes the privilege to add rows to the log: then nothing that it should have can be done.
// With it, what fails adds no row.
func TestActionsAndRowsShareTheirFate(t *testing.T) {
	t.Parallel()
	const post, patch, put, del = http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	_, ada := o.join(admin, "shop", "ada@example.com", "analyst")
	eve := anyone.register("eve@example.com")
	key := admin.in("shop").makeKey(`"scopes":["read"]`)
	invited := admin.invite(authn.User)
	joins := want[struct{ ID, Token string }](admin, http.StatusCreated, post, "/auth/projects/shop/invitations", `{"role":"analyst"}`)
	eve2 := anyone.as(anyone.login("eve@example.com", goodPassword).AccessToken)
	state := func() string {
		var hashes []string
		for _, table := range []string{"users", "sessions", "projects", "members", "invitations", "api_keys"} {
			var hash string
			o.value(`SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM auth.`+table+` t`, &hash)
			hashes = append(hashes, hash)
		}
		return strings.Join(hashes, " ")
	}
	count := func() (n int) {
		o.value(`SELECT count(*) FROM audit.log`, &n)
		return n
	}

	o.execute(`REVOKE INSERT ON audit.log FROM hp_auth`)
	before, rows := state(), count()
	for _, r := range []struct {
		as                   client
		method, target, body string
	}{
		{admin, patch, "/auth/users/" + ada, `{"disabled":true}`},
		{admin, post, "/auth/users/" + ada + "/password", ""},
		{admin, del, "/auth/users/" + ada + "/sessions", ""},
		{admin, post, "/auth/projects", `{"slug":"other","name":"x"}`},
		{admin, patch, "/auth/projects/shop", `{"name":"x"}`},
		{admin, put, "/auth/projects/shop/members/" + ada, `{"role":"viewer"}`},
		{admin, put, "/auth/projects/shop/members/" + eve.ID, `{"role":"viewer"}`},
		{admin, del, "/auth/projects/shop/members/" + ada, ""},
		{admin.in("shop"), post, "/auth/api-keys", `{"name":"x","scopes":["read"]}`},
		{admin.in("shop"), del, "/auth/api-keys/" + key.ID, ""},
		{admin, post, "/auth/invitations", `{"role":"user"}`},
		{admin, del, "/auth/invitations/" + invited.ID, ""},
		{admin, post, "/auth/projects/shop/invitations", `{"role":"viewer"}`},
		{admin, del, "/auth/projects/shop/invitations/" + joins.ID, ""},
		{eve2, post, "/auth/invitations/accept", `{"invitation":"` + joins.Token + `"}`},
		{anyone, post, "/auth/register", `{"email":"new@example.com","password":"` + goodPassword + `","invitation":"` + invited.Token + `"}`},
	} {
		if w := r.as.do(r.method, r.target, r.body); w.Code < 500 {
			t.Errorf("%s %s: status %d without a row in the log", r.method, r.target, w.Code)
		}
		if now := state(); now != before {
			t.Fatalf("%s %s was done without a row in the log", r.method, r.target)
		}
	}
	o.execute(`GRANT INSERT ON audit.log TO hp_auth`)
	for _, r := range []struct{ method, target, body string }{
		{post, "/auth/projects", `{"slug":"shop","name":"x"}`},
		{patch, "/auth/projects/shop", `{"time_zone":"Mars/Base"}`},
		{del, "/auth/projects/shop/members/" + eve.ID, ""},
		{patch, "/auth/users/" + key.ID, `{"disabled":true}`},
		{del, "/auth/api-keys/" + ada, ""},
		{post, "/auth/invitations/accept", `{"invitation":"` + invited.Token + `"}`},
	} {
		if w := admin.in("shop").do(r.method, r.target, r.body); w.Code < 400 {
			t.Errorf("%s %s: status %d", r.method, r.target, w.Code)
		}
	}
	if now := count(); now != rows {
		t.Errorf("%d rows are about what was not done", now-rows)
	}
}

// TestAuditIsRead reads the log by its filters, in pages, as rows, and as an owner of one project.
func TestAuditIsRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	admin.createProject("other")
	owner, id := o.join(admin, "shop", "ada@example.com", "owner")
	viewer, _ := o.join(admin, "shop", "eve@example.com", "viewer")
	for i := range 5 {
		owner.makeKey(fmt.Sprintf(`"scopes":["read"],"delegate":%t`, i > 9))
	}
	o.execute(`UPDATE audit.log SET at = now() - interval '3 days' WHERE action = 'project.created'`)

	numbers := func(page auditPage) int { return len(page.Items) }
	since := url.QueryEscape("2020-01-01T00:00:00+02:00")
	for query, want := range map[string]int{
		"":                                  10,
		"?actor=" + id:                      5,
		"?action=key.":                      5,
		"?action=key.created":               5,
		"?action=ey.":                       0,
		"?action=%25":                       0,
		"?project=other":                    1,
		"?project=nowhere":                  0,
		"?project=shop&action=member.added": 2,
		"?from=" + since:                    10,
		"?to=" + since:                      0,
	} {
		if got := numbers(admin.audit(query)); got != want {
			t.Errorf("%s: %d entries, want %d", query, got, want)
		}
	}
	wantProblem(t, admin.do(http.MethodGet, "/auth/audit?from=yesterday", ""), 422, "validation_failed", "/query/from invalid_format")

	var all []auditEntry
	for cursor := ""; ; {
		page := admin.audit("?limit=3" + cursor)
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if diff := cmp.Diff(admin.audit("").Items, all); diff != "" {
		t.Errorf("pages (-whole +pages):\n%s", diff)
	}
	if first := all[len(all)-1]; first.Action != "project.created" {
		t.Errorf("the oldest entry is %s", first.Action)
	}

	csv := admin.do(http.MethodGet, "/auth/audit?action=key.&limit=2", "", "Accept: text/csv")
	lines := strings.Split(strings.TrimSpace(csv.Body.String()), "\r\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "id,at,actor.kind,actor.id,actor.email,project,action,") ||
		!strings.Contains(lines[1], ",user,"+id+",ada@example.com,shop,key.created,key:") || csv.Header().Get("Next-Cursor") == "" {
		t.Errorf("as CSV: %v\n%s", csv.Header(), csv.Body)
	}
	ndjson := admin.do(http.MethodGet, "/auth/audit?action=key.", "", "Accept: application/x-ndjson")
	if n := strings.Count(ndjson.Body.String(), `"action":"key.created"`); n != 5 || strings.Count(ndjson.Body.String(), "\n") != 5 {
		t.Errorf("as NDJSON:\n%s", ndjson.Body)
	}

	const mine = "/auth/projects/shop/audit"
	if page := want[auditPage](owner, http.StatusOK, http.MethodGet, mine, ""); numbers(page) != 8 {
		t.Errorf("an owner sees %v", page.actions())
	}
	if page := want[auditPage](owner, http.StatusOK, http.MethodGet, mine+"?action=member.", ""); numbers(page) != 2 {
		t.Errorf("an owner sees %v", page.actions())
	}
	wantProblem(t, owner.do(http.MethodGet, "/auth/audit", ""), 403, "forbidden")
	wantProblem(t, owner.do(http.MethodGet, "/auth/projects/other/audit", ""), 404, "unknown_project")
	wantProblem(t, viewer.do(http.MethodGet, mine, ""), 403, "forbidden")
}
