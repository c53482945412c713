package authn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// district is a database with the projects default, books and shop, and a verifier that reads it as the catalog service does.
type district struct {
	t     *testing.T
	auth  *authntest.Auth
	owner *pgxpool.Pool
	*authn.Verifier

	books, shop int16
}

func newDistrict(t *testing.T) *district {
	t.Helper()
	db := dbtest.New(t)
	d := &district{t: t, auth: authntest.New(t), owner: db.Pool("")}
	d.auth.Use(d.owner)
	d.Verifier = newReadyVerifier(t, d.auth, authn.NewPostgres(db.Pool("hp_catalog")))
	const insert = `
		INSERT INTO auth.projects (slug, name, time_zone, currency, week_start, max_event_age_days, events_per_second)
		VALUES ($1, $1, 'Asia/Kolkata', 'INR', 7, 400, 50) RETURNING id`
	for slug, id := range map[string]*int16{"books": &d.books, "shop": &d.shop} {
		if err := d.owner.QueryRow(t.Context(), insert, slug).Scan(id); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// key stores an API key in a project and returns it.
func (d *district) key(project int16, owner any, unknownProducts string) string {
	d.t.Helper()
	key := authn.NewKey()
	const insert = `
		INSERT INTO auth.api_keys (id, name, project, key_hash, prefix, scopes, owner, unknown_products)
		VALUES ($1, 'k', $2, $3, 'hpa_', '{ingest}', $4, $5)`
	if _, err := d.owner.Exec(d.t.Context(), insert, uuid.New(), project, authn.HashKey(key), owner, unknownProducts); err != nil {
		d.t.Fatal(err)
	}
	return key
}

// enter returns what a credential is in a project: "slug role", with "guest" for a guest, or the code of the error. What the
// verifier recalls afterwards must be the same.
func (d *district) enter(credential, slug string) string {
	d.t.Helper()
	var p authn.Principal
	var err error
	defer func() {
		header := ""
		if credential != "" {
			header = "Bearer " + credential
		}
		switch recalled, ok := d.Recall(header, slug); {
		case ok && err != nil, !ok && err == nil && credential != "":
			d.t.Errorf("in %q: recalled %t after %v", slug, ok, err)
		case ok && !cmp.Equal(recalled, p, cmp.Comparer(func(a, b *time.Location) bool { return a == b })):
			d.t.Errorf("in %q: recalled %+v, want %+v", slug, recalled, p)
		}
	}()
	if credential != "" {
		if p, err = d.Authenticate(d.t.Context(), "Bearer "+credential); err != nil {
			return errs.CodeOf(err)
		}
	}
	if p, err = d.Enter(d.t.Context(), p, slug); err != nil {
		return errs.CodeOf(err)
	}
	words := []string{p.Project.Slug}
	if p.Role != "" {
		words = append(words, string(p.Role))
	}
	if p.Guest {
		words = append(words, "guest")
	}
	return strings.Join(words, " ")
}

// TestWhoActsWhere goes through callers and what they name.
func TestWhoActsWhere(t *testing.T) {
	t.Parallel()
	d := newDistrict(t)
	member := func(roles map[int16]authn.Role) string {
		id := uuid.NewString()
		for project, role := range roles {
			d.auth.Join(project, role, id)
		}
		return d.auth.Token(authn.User, id)
	}
	admin := d.auth.Token(authn.Admin, uuid.NewString())
	stranger := member(nil)
	viewer := member(map[int16]authn.Role{d.shop: authn.Viewer})
	both := member(map[int16]authn.Role{d.shop: authn.Owner, d.books: authn.Analyst})
	home := member(map[int16]authn.Role{authn.DefaultProject: authn.Analyst})
	key := d.key(d.shop, nil, "refuse")
	for name, test := range map[string]struct{ credential, slug, want string }{
		"a user without membership":            {stranger, "", "default user guest"},
		"a user without membership, by name":   {stranger, "default", "default user guest"},
		"a user without membership, elsewhere": {stranger, "shop", "project_forbidden"},
		"a user without membership, nowhere":   {stranger, "nowhere", "project_forbidden"},
		"a user without membership, no name":   {stranger, "Shop'; --", "project_forbidden"},
		"the only membership":                  {viewer, "", "shop viewer"},
		"the only membership, by name":         {viewer, "shop", "shop viewer"},
		"a member elsewhere is a guest":        {viewer, "default", "default user guest"},
		"a member elsewhere":                   {viewer, "books", "project_forbidden"},
		"several memberships":                  {both, "", "project_required"},
		"several memberships, one":             {both, "shop", "shop owner"},
		"several memberships, the other":       {both, "books", "books analyst"},
		"several memberships, a third":         {both, "nowhere", "project_forbidden"},
		"a member of the default project":      {home, "", "default analyst"},
		"an admin":                             {admin, "", "default owner"},
		"an admin in any project":              {admin, "shop", "shop owner"},
		"an admin in no project":               {admin, "nowhere", "project_forbidden"},
		"a key":                                {key, "", "shop"},
		"a key, by name":                       {key, "shop", "shop"},
		"a key, elsewhere":                     {key, "books", "project_forbidden"},
		"a key, nowhere":                       {key, "nowhere", "project_forbidden"},
		"anybody":                              {"", "", "default guest"},
		"anybody, by name":                     {"", "default", "default guest"},
		"anybody, elsewhere":                   {"", "shop", "project_forbidden"},
		"anybody, nowhere":                     {"", "nowhere", "project_forbidden"},
	} {
		if got := d.enter(test.credential, test.slug); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	p, err := d.Authenticate(t.Context(), "Bearer "+both)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Enter(t.Context(), p, "")
	if text := fmt.Sprint(err); !errs.Is(err, errs.Malformed) || !strings.Contains(text, "(books, shop)") || !strings.Contains(text, "Project: books") {
		t.Errorf("several memberships: %v", err)
	}
	if p, err = d.Authenticate(t.Context(), "Bearer "+key); err != nil {
		t.Fatal(err)
	}
	_, err = d.Enter(t.Context(), p, "books")
	if !errors.Is(err, authn.ErrProjectForbidden) || !strings.Contains(err.Error(), "acts in the project shop only. Leave the header Project away") {
		t.Errorf("a key elsewhere: %v", err)
	}
}

// The settings of a project come with its callers, by a token and by a key.
func TestSettingsOfAProject(t *testing.T) {
	t.Parallel()
	d := newDistrict(t)
	id := uuid.NewString()
	d.auth.Join(d.shop, authn.Viewer, id)
	want := authn.Project{
		ID: d.shop, Slug: "shop", Currency: "INR", WeekStart: time.Sunday, MaxEventAge: 400 * 24 * time.Hour, EventsPerSecond: 50,
	}
	for credential, creates := range map[string]bool{
		d.auth.Token(authn.User, id):                false,
		d.key(d.shop, nil, "refuse"):                false,
		d.key(d.shop, nil, "create"):                true,
		d.auth.Token(authn.Admin, uuid.NewString()): false,
	} {
		p, err := d.Authenticate(t.Context(), "Bearer "+credential)
		if err != nil {
			t.Fatal(err)
		}
		slug := "shop"
		if p, err = d.Enter(t.Context(), p, slug); err != nil {
			t.Fatal(err)
		}
		zone := p.Project.Zone
		p.Project.Zone = nil
		if diff := cmp.Diff(want, p.Project); diff != "" || zone.String() != "Asia/Kolkata" || p.CreateProducts != creates {
			t.Errorf("%s, creates %t (-want +got):\n%s", zone, p.CreateProducts, diff)
		}
		if want := fmt.Sprintf("%d:%s", d.shop, p.ID()); p.QuotaKey() != want {
			t.Errorf("the quota of %s, want %s", p.QuotaKey(), want)
		}
	}
}

// A key works while its account may do what it does: as an admin, or as an owner of the project of the key.
func TestKeysWorkWhileTheirAccountOwnsTheProject(t *testing.T) {
	t.Parallel()
	d := newDistrict(t)
	id := uuid.NewString()
	store := authn.NewPostgres(d.owner)
	d.auth.Join(d.books, authn.Owner, id) // of another project
	key := d.key(d.shop, id, "refuse")
	works := func() bool {
		_, err := store.FindKey(t.Context(), key)
		if err != nil && !errs.Is(err, errs.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	for _, step := range []struct {
		name, statement string
		want            bool
	}{
		{"an owner of another project", `SELECT $1::uuid, $2::smallint`, false},
		{"an owner", `INSERT INTO auth.members (user_id, project, role) VALUES ($1, $2, 'owner')`, true},
		{"disabled", `UPDATE auth.users SET disabled_at = now() WHERE id = $1 AND $2::smallint > 0`, false},
		{"enabled", `UPDATE auth.users SET disabled_at = NULL WHERE id = $1 AND $2::smallint > 0`, true},
		{"an analyst", `UPDATE auth.members SET role = 'analyst' WHERE user_id = $1 AND project = $2`, false},
		{"an admin", `UPDATE auth.users SET role = 'admin' WHERE id = $1 AND $2::smallint > 0`, true},
		{"no member", `DELETE FROM auth.members WHERE user_id = $1 AND project = $2`, true},
		{"no admin", `UPDATE auth.users SET role = 'user' WHERE id = $1 AND $2::smallint > 0`, false},
	} {
		if _, err := d.owner.Exec(t.Context(), step.statement, id, d.shop); err != nil {
			t.Fatal(err)
		}
		if got := works(); got != step.want {
			t.Errorf("%s: works %t", step.name, got)
		}
	}
}

// failing is a ProjectStore that fails while it is told to.
type failing struct {
	fakeKeys

	down bool
}

func (f *failing) Named(context.Context, string, string) (authn.Membership, error) {
	return authn.Membership{}, errors.New("down")
}

func (f *failing) Memberships(context.Context, string, int) ([]authn.Membership, error) {
	if f.down {
		return nil, errs.New(errs.Unavailable, "database_unavailable", "Later.")
	}
	return []authn.Membership{{Project: authn.Project{ID: authn.DefaultProject, Slug: "default"}}}, nil
}

// Anybody reads the catalog from a cache while Postgres is away, so the default project is remembered.
func TestTheDefaultProjectOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"known": true, "never read": false} {
		store := &failing{fakeKeys: fakeKeys{find: unknownKey}, down: !known}
		v := authn.NewLocalVerifier(nil, store)
		if known {
			if _, err := v.Enter(t.Context(), authn.Principal{}, ""); err != nil {
				t.Fatal(err)
			}
			store.down = true
		}
		p, err := v.Enter(t.Context(), authn.Principal{}, "default")
		if known && (err != nil || p.Project.ID != authn.DefaultProject) || !known && !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
