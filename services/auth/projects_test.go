package auth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
)

type projectDetails struct {
	Slug            string `json:"slug"`
	Name            string `json:"name"`
	Role            string `json:"role"`
	TimeZone        string `json:"time_zone"`
	Currency        string `json:"currency"`
	WeekStart       int    `json:"week_start"`
	MaxEventAgeDays *int   `json:"max_event_age_days"`
	EventsPerSecond *int   `json:"events_per_second"`
	Version         int    `json:"version"`

	Zone *zoneChange `json:"time_zone_change"`
}

// zoneChange is a time_zone_change without its times.
type zoneChange struct {
	From   string  `json:"from"`
	To     string  `json:"to"`
	State  string  `json:"state"`
	Done   int     `json:"days_done"`
	Total  int     `json:"days_total"`
	Kept   int     `json:"days_kept"`
	Since  *string `json:"since"`
	Failed failure `json:"failure"`
}

// failure is whether there is one; its text shows nothing of the database.
type failure bool

func (f *failure) UnmarshalJSON(text []byte) error {
	*f = string(text) != "null"
	if strings.Contains(string(text), "permission denied") {
		return errors.New("the reason of a failure is shown")
	}
	return nil
}

type projectPage struct {
	Items      []projectDetails `json:"items"`
	NextCursor *string          `json:"next_cursor"`
}

type member struct {
	UserID string `json:"user_id"`
	Email  string `json:"email"`
	Role   string `json:"role"`
}

type memberPage struct {
	Items      []member `json:"items"`
	NextCursor *string  `json:"next_cursor"`
}

// in returns a client that names a project.
func (c client) in(slug string) client {
	c.project = slug
	return c
}

// createProject makes a project with default settings.
func (c client) createProject(slug string) {
	c.t.Helper()
	want[projectDetails](c, http.StatusCreated, http.MethodPost, "/auth/projects", `{"slug":"`+slug+`","name":"`+slug+`"}`)
}

// join makes an account a member of a project, as admins do, and returns a client with its token and its id.
func (o *office) join(admin client, slug, email, role string) (client, string) {
	o.t.Helper()
	anyone := admin.as("")
	id := anyone.register(email).ID
	want[member](admin, http.StatusOK, http.MethodPut, "/auth/projects/"+slug+"/members/"+id, `{"role":"`+role+`"}`)
	return anyone.as(anyone.login(email, goodPassword).AccessToken), id
}

func slugs(page projectPage) (names []string) {
	for _, p := range page.Items {
		names = append(names, p.Slug+" "+p.Role)
	}
	return names
}

func TestProjects(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	const get, post, patch = http.MethodGet, http.MethodPost, http.MethodPatch
	made := want[projectDetails](admin, http.StatusCreated, post, "/auth/projects",
		`{"slug":"shop-in","name":" Laden ","time_zone":"Asia/Kolkata","currency":"INR","week_start":7,"max_event_age_days":400}`)
	expected := projectDetails{
		Slug: "shop-in", Name: "Laden", Role: "owner", TimeZone: "Asia/Kolkata", Currency: "INR", WeekStart: 7, MaxEventAgeDays: new(400), Version: 1,
	}
	if diff := cmp.Diff(expected, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	admin.createProject("shop-eu")
	wantProblem(t, admin.do(post, "/auth/projects", `{"slug":"shop-eu","name":"x"}`), 409, "slug_taken", "/slug slug_taken")
	wantProblem(t, admin.do(post, "/auth/projects", `{"slug":"Shop","name":"x"}`), 422, "validation_failed", "/slug invalid_format")
	wantProblem(t, admin.do(post, "/auth/projects", `{"slug":"x","name":"x","time_zone":"Mars/Base","currency":"ZZZ"}`), 422, "validation_failed",
		"/time_zone unknown_time_zone", "/currency unknown_currency")

	viewer, _ := o.join(admin, "shop-eu", "ada@example.com", "viewer")
	wantProblem(t, viewer.do(post, "/auth/projects", `{"slug":"mine","name":"x"}`), 403, "forbidden")
	if diff := cmp.Diff([]string{"default owner", "shop-eu owner", "shop-in owner"}, slugs(want[projectPage](admin, 200, get, "/auth/projects", ""))); diff != "" {
		t.Errorf("an admin sees (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shop-eu viewer"}, slugs(want[projectPage](viewer, 200, get, "/auth/projects", ""))); diff != "" {
		t.Errorf("a member sees (-want +got):\n%s", diff)
	}
	first := want[projectPage](admin, 200, get, "/auth/projects?limit=2", "")
	if first.NextCursor == nil || len(first.Items) != 2 {
		t.Fatalf("the first page is %+v", first)
	}
	if diff := cmp.Diff([]string{"shop-in owner"}, slugs(want[projectPage](admin, 200, get, "/auth/projects?limit=2&cursor="+*first.NextCursor, ""))); diff != "" {
		t.Errorf("the second page (-want +got):\n%s", diff)
	}
	me := want[struct{ Projects []projectDetails }](viewer, 200, get, "/auth/me", "")
	if len(me.Projects) != 1 || me.Projects[0].Slug != "shop-eu" || me.Projects[0].Role != "viewer" {
		t.Errorf("the viewer is in %+v", me.Projects)
	}

	// A stranger cannot tell a project of others from none.
	for _, path := range []string{"/auth/projects/shop-in", "/auth/projects/nowhere", "/auth/projects/No%20name"} {
		wantProblem(t, viewer.do(get, path, ""), 404, "unknown_project")
		wantProblem(t, viewer.do(patch, path, `{"name":"x"}`), 404, "unknown_project")
		wantProblem(t, viewer.do(get, path+"/members", ""), 404, "unknown_project")
	}
	wantProblem(t, admin.do(get, "/auth/projects/nowhere", ""), 404, "unknown_project")
	if p := want[projectDetails](viewer, 200, get, "/auth/projects/shop-eu", ""); p.Role != "viewer" {
		t.Errorf("the viewer sees %+v", p)
	}
	wantProblem(t, viewer.do(patch, "/auth/projects/shop-eu", `{"name":"x"}`), 403, "forbidden")
}

func TestChangeAProject(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	owner, _ := o.join(admin, "shop", "ada@example.com", "owner")
	const path, patch = "/auth/projects/shop", http.MethodPatch
	change := func(body string, headers ...string) *httptest.ResponseRecorder {
		return owner.do(patch, path, body, headers...)
	}

	w := change(`{"name":"Shop","time_zone":"Europe/Berlin","max_event_age_days":30,"events_per_second":5}`, `If-Match: "1"`)
	if w.Code != 200 || w.Header().Get("ETag") != `"2"` {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	wantProblem(t, change(`{"name":"Late"}`, `If-Match: "1"`), 412, "stale_version")
	same := want[projectDetails](owner, 200, patch, path, `{"name":"Shop"}`)
	if same.Version != 2 {
		t.Errorf("a change of nothing makes version %d", same.Version)
	}
	cleared := want[projectDetails](owner, 200, patch, path, `{"events_per_second":null}`)
	if cleared.EventsPerSecond != nil || cleared.MaxEventAgeDays == nil || *cleared.MaxEventAgeDays != 30 || cleared.Version != 3 {
		t.Errorf("cleared: %+v", cleared)
	}
	for body, fields := range map[string][]string{
		`{"time_zone":"Local"}`:         {"/time_zone unknown_time_zone"},
		`{"time_zone":"Factory/None"}`:  {"/time_zone unknown_time_zone"},
		`{"currency":"eur"}`:            {"/currency unknown_currency"},
		`{"name":"  "}`:                 {"/name invalid_value"},
		`{"slug":"other"}`:              {"/slug unknown_field"},
		`{"week_start":0}`:              {"/week_start too_small"},
		`{"events_per_second":1000001}`: {"/events_per_second too_large"},
	} {
		wantProblem(t, change(body), 422, "validation_failed", fields...)
	}
}

// A change of the time zone is accepted whatever the project has, and shows how far the aggregator is with it.
func TestAChangeOfTheTimeZone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	admin.createProject("shop")
	const path, patch = "/auth/projects/shop", http.MethodPatch
	const of = ` project = (SELECT id FROM auth.projects WHERE slug = 'shop')`
	o.execute(`INSERT INTO stats.daily_stats (project, day, lane) SELECT id, '2026-01-01', 0 FROM auth.projects WHERE slug = 'shop'`)
	if p := want[projectDetails](admin, 200, http.MethodGet, path, ""); p.Zone != nil {
		t.Errorf("a project that always had its zone: %+v", p.Zone)
	}
	waiting := zoneChange{From: "UTC", To: "Asia/Tokyo", State: "waiting"}
	first := want[projectDetails](admin, 200, patch, path, `{"time_zone":"Asia/Tokyo"}`)
	again := want[projectDetails](admin, 200, patch, path, `{"time_zone":"Asia/Tokyo"}`)
	if first.Version != 2 || again.Version != 2 {
		t.Errorf("the change makes version %d, the same zone once more version %d", first.Version, again.Version)
	}
	if diff := cmp.Diff([]*zoneChange{&waiting, &waiting}, []*zoneChange{first.Zone, again.Zone}); diff != "" {
		t.Errorf("as answered (-want +got):\n%s", diff)
	}
	since := "2026-03-10T15:00:00Z"
	for _, step := range []struct {
		change string // by the aggregator, or of the project
		want   *zoneChange
	}{
		{`INSERT INTO stats.zone_changes (project, from_zone, to_zone, days_done, days_total, failure, failed_at)
			SELECT id, 'UTC', 'Asia/Tokyo', 0, 0, 'permission denied for table daily_stats', now() FROM auth.projects WHERE slug = 'shop'`,
			&zoneChange{From: "UTC", To: "Asia/Tokyo", State: "failing", Failed: true}},
		{`WITH step AS (INSERT INTO stats.zones (project, since, time_zone) SELECT id, '2026-03-10T15:00:00Z', 'Asia/Tokyo' FROM auth.projects WHERE slug = 'shop')
			UPDATE stats.zone_changes SET failure = NULL, days_done = 3, days_total = 10, days_kept = 2 WHERE` + of,
			&zoneChange{From: "UTC", To: "Asia/Tokyo", State: "running", Done: 3, Total: 10, Kept: 2, Since: &since}},
		{`UPDATE stats.zone_changes SET finished_at = now(), days_total = 3, days_kept = 9 WHERE` + of,
			&zoneChange{From: "UTC", To: "Asia/Tokyo", State: "done", Done: 3, Total: 3, Kept: 9, Since: &since}},
		{`UPDATE auth.projects SET time_zone = 'Europe/Berlin' WHERE slug = 'shop'`, &zoneChange{From: "Asia/Tokyo", To: "Europe/Berlin", State: "waiting"}},
		{`UPDATE auth.projects SET time_zone = 'Asia/Tokyo' WHERE slug = 'shop'`, &zoneChange{From: "UTC", To: "Asia/Tokyo", State: "done", Done: 3, Total: 3, Kept: 9, Since: &since}},
	} {
		o.execute(step.change)
		if diff := cmp.Diff(step.want, want[projectDetails](admin, 200, http.MethodGet, path, "").Zone); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.change, diff)
		}
	}
	wantProblem(t, admin.do(patch, path, `{"time_zone":"Factory/None"}`), 422, "validation_failed", "/time_zone unknown_time_zone")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	adminID := want[user](admin, 200, http.MethodGet, "/auth/me", "").ID
	const path, put, del = "/auth/projects/shop/members", http.MethodPut, http.MethodDelete
	role := func(role string) string { return `{"role":"` + role + `"}` }

	owner, ownerID := o.join(admin, "shop", "ada@example.com", "owner")
	viewer, viewerID := o.join(admin, "shop", "bob@example.com", "viewer")
	stranger := anyone.register("eve@example.com").ID
	wantProblem(t, owner.do(put, path+"/"+stranger, role("viewer")), 403, "invitation_required")
	wantProblem(t, owner.do(put, path+"/"+uuid.NewString(), role("viewer")), 404, "unknown_account")
	wantProblem(t, owner.do(put, path+"/"+viewerID, role("admin")), 422, "validation_failed", "/role invalid_enum")
	wantProblem(t, owner.do(del, path+"/"+stranger, ""), 404, "unknown_member")
	wantProblem(t, viewer.do(put, path+"/"+viewerID, role("owner")), 403, "forbidden")
	wantProblem(t, viewer.do(del, path+"/"+ownerID, ""), 403, "forbidden")
	if m := want[member](owner, 200, put, path+"/"+viewerID, role("analyst")); m.Role != "analyst" || m.Email != "bob@example.com" {
		t.Errorf("the member is %+v", m)
	}
	want[any](owner, 204, del, path+"/"+adminID, "") // the maker of the project

	// The last owner stays, unless an admin says otherwise.
	wantProblem(t, owner.do(del, path+"/"+ownerID, ""), 409, "last_owner")
	wantProblem(t, owner.do(put, path+"/"+ownerID, role("viewer")), 409, "last_owner")
	var all []string
	for target := path + "?limit=1"; target != ""; {
		page := want[memberPage](owner, 200, http.MethodGet, target, "")
		for _, m := range page.Items {
			all = append(all, m.Email+" "+m.Role)
		}
		if target = ""; page.NextCursor != nil {
			target = path + "?limit=1&cursor=" + *page.NextCursor
		}
	}
	slices.Sort(all)
	if diff := cmp.Diff([]string{"ada@example.com owner", "bob@example.com analyst"}, all); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	want[any](viewer, 204, del, path+"/"+viewerID, "") // a member leaves
	wantProblem(t, viewer.do(http.MethodGet, "/auth/projects/shop", ""), 404, "unknown_project")
	want[any](admin, 204, del, path+"/"+ownerID, "")
	wantProblem(t, owner.do(http.MethodGet, path, ""), 404, "unknown_project")
}

// TestProjectInvitations follows invitations to a new account and to one that exists.
func TestProjectInvitations(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.Registration = api.RegistrationInvite }
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	o.put("ada@example.com", goodPassword, authn.User)
	owner := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	const path, get, post = "/auth/projects/shop/invitations", http.MethodGet, http.MethodPost
	invite := func(by client, role string) invitation {
		return want[invitation](by, 201, post, path, `{"role":"`+role+`"}`)
	}
	accept := func(by client, token string) *httptest.ResponseRecorder {
		return by.do(post, "/auth/invitations/accept", `{"invitation":"`+token+`"}`)
	}

	first := invite(admin, "owner")
	if w := accept(owner, first.Token); w.Code != 200 || !strings.Contains(w.Body.String(), `"role":"owner"`) || !strings.Contains(w.Body.String(), `"slug":"shop"`) {
		t.Fatalf("an account that exists: %d %s", w.Code, w.Body)
	}
	wantProblem(t, accept(owner, first.Token), 403, "invalid_invitation") // it is used
	second := invite(owner, "viewer")
	wantProblem(t, accept(owner, second.Token), 409, "already_member")
	bob := want[user](anyone, 201, post, "/auth/register",
		`{"email":"bob@example.com","password":"`+goodPassword+`","invitation":"`+second.Token+`"}`) // the refused try did not use it up
	viewer := anyone.as(anyone.login("bob@example.com", goodPassword).AccessToken)
	me := want[struct {
		Role     string
		Projects []projectDetails
	}](viewer, 200, get, "/auth/me", "")
	if me.Role != "user" || len(me.Projects) != 1 || me.Projects[0].Role != "viewer" {
		t.Errorf("a new account is %+v", me)
	}
	wantProblem(t, viewer.do(post, path, `{"role":"viewer"}`), 403, "forbidden")

	// What an admin sends for a new account does not join an account to a project.
	wantProblem(t, accept(viewer, admin.invite(authn.Admin).Token), 403, "invalid_invitation")
	wantProblem(t, accept(viewer, "hpi_guess"), 403, "invalid_invitation")

	list := want[invitationPage](owner, 200, get, path, "")
	if len(list.Items) != 2 || list.Items[0].ID != second.ID || list.Items[0].UsedBy == nil || *list.Items[0].UsedBy != bob.ID || list.Items[0].Token != "" {
		t.Errorf("the invitations are %+v", list.Items)
	}
	wantProblem(t, owner.do(http.MethodDelete, path+"/"+second.ID, ""), 409, "invitation_used")
	revoked := invite(owner, "viewer")
	want[any](owner, 204, http.MethodDelete, path+"/"+revoked.ID, "")
	wantProblem(t, anyone.accept("eve@example.com", revoked.Token), 403, "invalid_invitation")

	// An invitation ends with the rights of its maker.
	last := invite(owner, "owner")
	ada := want[user](owner, 200, get, "/auth/me", "").ID
	want[member](admin, 200, http.MethodPut, "/auth/projects/shop/members/"+ada, `{"role":"analyst"}`)
	wantProblem(t, anyone.accept("eve@example.com", last.Token), 403, "invalid_invitation")
	wantProblem(t, accept(admin, last.Token), 403, "invalid_invitation")
	want[member](admin, 200, http.MethodPut, "/auth/projects/shop/members/"+ada, `{"role":"owner"}`)
	if w := anyone.accept("eve@example.com", last.Token); w.Code != 201 {
		t.Errorf("its maker is an owner again: %s", w.Body)
	}
}

func TestGuessedInvitationsOfAccountsAreLimited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.RegisterRefusedLimit = 3 }
	anyone := o.start()
	anyone.register("ada@example.com")
	ada := anyone.as(anyone.login("ada@example.com", goodPassword).AccessToken)
	wantLimitedAfter(t, 3, 403, "invalid_invitation", func(int) *httptest.ResponseRecorder {
		return ada.do(http.MethodPost, "/auth/invitations/accept", `{"invitation":"hpi_guess"}`)
	})
}

// TestTwoProjectsNeverMeet has two projects with the same names in everything.
func TestTwoProjectsNeverMeet(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	type side struct {
		owner      client
		id         string
		key        apiKey
		adminKey   apiKey
		invitation invitation
	}
	sides := map[string]side{}
	for _, slug := range []string{"east", "west"} {
		admin.createProject(slug)
		owner, id := o.join(admin, slug, slug+"@example.com", "owner")
		sides[slug] = side{
			owner, id, owner.makeKey(`"scopes":["read"],"unknown_products":"create"`), owner.in(slug).makeKey(`"scopes":["admin"],"delegate":true`),
			want[invitation](owner, 201, http.MethodPost, "/auth/projects/"+slug+"/invitations", `{"role":"viewer"}`),
		}
	}
	east, west := sides["east"], sides["west"]
	if east.key.Project != "east" || west.key.Project != "west" || east.key.UnknownProducts != "create" || east.adminKey.UnknownProducts != "refuse" {
		t.Errorf("the keys are %+v and %+v", east.key, west.key)
	}
	for name, c := range map[string]client{"owner": east.owner, "key": anyone.as(east.adminKey.Key), "admin": admin.in("east")} {
		var ids []string
		for _, k := range want[struct{ Items []apiKey }](c, 200, http.MethodGet, "/auth/api-keys", "").Items {
			ids = append(ids, k.ID)
		}
		if diff := cmp.Diff([]string{east.adminKey.ID, east.key.ID}, ids); diff != "" {
			t.Errorf("the %s sees the keys (-want +got):\n%s", name, diff)
		}
		wantProblem(t, c.do(http.MethodDelete, "/auth/api-keys/"+west.key.ID, ""), 404, "unknown_api_key")
	}
	for name, c := range map[string]client{"owner": east.owner, "key": anyone.as(east.adminKey.Key)} {
		for _, slug := range []string{"west", "default", "nowhere"} {
			want := "project_forbidden"
			if slug == "default" && name == "owner" {
				want = "forbidden" // a guest
			}
			wantProblem(t, c.in(slug).do(http.MethodGet, "/auth/api-keys", ""), 403, want)
			wantProblem(t, c.in(slug).do(http.MethodPost, "/auth/api-keys", `{"name":"x","scopes":["read"]}`), 403, want)
		}
		wantProblem(t, c.do(http.MethodGet, "/auth/projects/west", ""), 404, "unknown_project")
		wantProblem(t, c.do(http.MethodPatch, "/auth/projects/west", `{"name":"x"}`), 404, "unknown_project")
	}
	wantProblem(t, east.owner.do(http.MethodDelete, "/auth/projects/east/invitations/"+west.invitation.ID, ""), 404, "unknown_invitation")
	wantProblem(t, east.owner.do(http.MethodDelete, "/auth/projects/east/members/"+west.id, ""), 404, "unknown_member")
	wantProblem(t, east.owner.do(http.MethodGet, "/auth/projects/west/members", ""), 404, "unknown_project")

	// A key with the scope admin is an owner of its project, without an account.
	machine := anyone.as(east.adminKey.Key)
	if p := want[projectDetails](machine, 200, http.MethodPatch, "/auth/projects/east", `{"name":"East"}`); p.Role != "owner" || p.Name != "East" {
		t.Errorf("a key changes its project to %+v", p)
	}
	child := machine.makeKey(`"scopes":["admin"]`)
	if child.Project != "east" {
		t.Errorf("a key of east makes %+v", child)
	}
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/auth/projects", ""},
		{http.MethodPost, "/auth/projects", `{"slug":"north","name":"x"}`},
		{http.MethodGet, "/auth/projects/east/members", ""},
		{http.MethodPut, "/auth/projects/east/members/" + west.id, `{"role":"owner"}`},
		{http.MethodPost, "/auth/projects/east/invitations", `{"role":"owner"}`},
		{http.MethodPost, "/auth/invitations/accept", `{"invitation":"x"}`},
		{http.MethodGet, "/auth/users", ""},
		{http.MethodPost, "/auth/invitations", `{"role":"admin"}`},
	} {
		wantProblem(t, machine.do(request.method, request.path, request.body), 403, "forbidden")
	}

	// The keys that an owner made stop with the membership; those of the other project go on.
	want[any](admin, 204, http.MethodDelete, "/auth/projects/east/members/"+east.id, "")
	platformtest.Eventually(t, time.Minute, "the keys of a former owner are refused", func() bool {
		return machine.do(http.MethodGet, "/auth/api-keys", "").Code == 401 && anyone.as(child.Key).do(http.MethodGet, "/auth/api-keys", "").Code == 401
	})
	want[any](anyone.as(west.adminKey.Key), 200, http.MethodGet, "/auth/api-keys", "")
}

// A member of several projects has to say which one is meant.
func TestProjectRequired(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	for _, slug := range []string{"a", "b"} {
		admin.createProject(slug)
	}
	w := admin.do(http.MethodGet, "/auth/api-keys", "")
	wantProblem(t, w, 400, "project_required")
	var doc struct{ Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !strings.Contains(doc.Detail, "(a, b, default)") || !strings.Contains(doc.Detail, "Project: a") {
		t.Errorf("%q does not say how, %v", doc.Detail, err)
	}
	for _, slug := range []string{"a", "b", "default"} {
		want[any](admin.in(slug), 200, http.MethodGet, "/auth/api-keys", "")
	}
	want[any](admin, 200, http.MethodGet, "/auth/users", "") // outside projects
	wantProblem(t, admin.do(http.MethodGet, "/auth/api-keys", "", "Project: a", "Project: b"), 400, "project_required")
	wantProblem(t, admin.do(http.MethodGet, "/auth/api-keys", "", "Project: "+strings.Repeat("a", 5000)), 403, "project_forbidden")
}
