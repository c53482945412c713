package auth_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

const shareLinks = "/auth/share-links"

type shareLink struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Report   map[string]any `json:"report"`
	Password bool           `json:"password"`
	Works    bool           `json:"works"`
	Account  string         `json:"account"`
	Secret   string         `json:"secret"`
	Path     string         `json:"path"`
	Key      string         `json:"key"`
}

type shareLinkPage struct{ Items []shareLink }

// shareRequest is a valid request with some members added, such as `,"password":"…"`.
func shareRequest(members string) string {
	return fmt.Sprintf(`{"name":"board","report":{"kind":"overview","days":30},"expires_at":%q%s}`, time.Now().Add(time.Hour).Format(time.RFC3339), members)
}

// open opens a link without a password.
func (c client) open(secret string) int {
	return c.as("").do(http.MethodPost, shareLinks+"/open", `{"secret":"`+secret+`"}`).Code
}

func TestShareLinks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	analyst, analystID := o.join(admin, "shop", "analyst@example.com", "analyst")
	viewer, _ := o.join(admin, "shop", "viewer@example.com", "viewer")
	wantProblem(t, viewer.do(http.MethodPost, shareLinks, shareRequest("")), 403, "forbidden")
	wantProblem(t, viewer.do(http.MethodGet, shareLinks, ""), 403, "forbidden")

	made := want[shareLink](analyst, 201, http.MethodPost, shareLinks, shareRequest(""))
	if made.Path != "/app/shared#"+made.Secret || made.Password {
		t.Errorf("made: %+v", made)
	}
	opened := want[shareLink](anyone, 200, http.MethodPost, shareLinks+"/open", `{"secret":"`+made.Secret+`"}`)
	if opened.Name != "board" || opened.Report["kind"] != "overview" || opened.Report["days"] != 30.0 || opened.Report["interval"] != "day" || opened.Key != authn.LinkKey(made.Secret, "") {
		t.Errorf("opened: %+v", opened)
	}
	list := want[shareLinkPage](analyst, 200, http.MethodGet, shareLinks, "")
	if len(list.Items) != 1 || list.Items[0].ID != made.ID || !list.Items[0].Works || list.Items[0].Account != "analyst@example.com" || list.Items[0].Secret != "" {
		t.Errorf("listed: %+v", list)
	}
	if other := want[shareLinkPage](admin.in("default"), 200, http.MethodGet, shareLinks, ""); len(other.Items) != 0 {
		t.Errorf("another project lists %+v", other)
	}
	wantProblem(t, admin.in("default").do(http.MethodDelete, shareLinks+"/"+made.ID, ""), 404, "unknown_share_link")
	var stored int
	o.value(`SELECT count(*) FROM auth.share_links l WHERE l::text LIKE '%' || $1 || '%' OR l::text LIKE '%' || $2 || '%'`, &stored, made.Secret, opened.Key)
	if stored != 0 {
		t.Error("the secret or the key is stored")
	}

	// A link has no right that its maker has lost.
	want[member](admin, 200, http.MethodPut, "/auth/projects/shop/members/"+analystID, `{"role":"viewer"}`)
	if code := anyone.open(made.Secret); code != 404 {
		t.Errorf("the link of a viewer: %d", code)
	}
	if list := want[shareLinkPage](admin.in("shop"), 200, http.MethodGet, shareLinks, ""); list.Items[0].Works {
		t.Errorf("listed: %+v", list)
	}
	want[member](admin, 200, http.MethodPut, "/auth/projects/shop/members/"+analystID, `{"role":"analyst"}`)
	if code := anyone.open(made.Secret); code != 200 {
		t.Errorf("the link of an analyst: %d", code)
	}

	for range 2 {
		want[struct{}](analyst, 204, http.MethodDelete, shareLinks+"/"+made.ID, "")
	}
	if code := anyone.open(made.Secret); code != 404 {
		t.Errorf("a revoked link: %d", code)
	}
	var actions string
	o.value(`SELECT string_agg(action, ' ' ORDER BY id) FROM audit.log WHERE subject = $1`, &actions, "share_link:"+made.ID)
	if actions != "share_link.created share_link.revoked" {
		t.Errorf("the audit log has %s", actions)
	}
	wantProblem(t, anyone.do(http.MethodPost, shareLinks+"/open", `{"secret":"hps_nothing"}`), 404, "unknown_share_link")
}

func TestInvalidShareLinks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	hour, year := time.Now().Add(time.Hour), time.Now().Add(400*24*time.Hour)
	for _, test := range []struct {
		name, report string
		expires      time.Time
		field        string
	}{
		{"board", `{"kind":"overview","days":1}`, time.Now().Add(-time.Second), "/expires_at in_the_past"},
		{"board", `{"kind":"overview","days":1}`, year, "/expires_at too_late"},
		{"  ", `{"kind":"overview","days":1}`, hour, "/name too_short"},
		{"board", `{"kind":"overview"}`, hour, "/report/days one_range"},
		{"board", `{"kind":"overview","from":"2026-03-01"}`, hour, "/report/days one_range"},
		{"board", `{"kind":"overview","days":1,"to":"2026-03-01"}`, hour, "/report/days one_range"},
		{"board", `{"kind":"overview","from":"2026-03-02","to":"2026-03-01"}`, hour, "/report/to invalid_range"},
		{"board", `{"kind":"overview","from":"2026-03-01","to":"2027-04-05"}`, hour, "/report/days range_too_long"},
		{"board", `{"kind":"overview","days":32,"interval":"hour"}`, hour, "/report/days range_too_long"},
		{"board", `{"kind":"product","days":1}`, hour, "/report/product_id required"},
		{"board", `{"kind":"overview","days":1,"product_id":"0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"}`, hour, "/report/product_id not_allowed"},
	} {
		body := fmt.Sprintf(`{"name":%q,"report":%s,"expires_at":%q}`, test.name, test.report, test.expires.Format(time.RFC3339))
		wantProblem(t, admin.do(http.MethodPost, shareLinks, body), 422, "validation_failed", test.field)
	}
}

// TestShareLinkWithPassword checks that the key depends on the password, and that guesses end.
func TestShareLinkWithPassword(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.LoginAccountLimit = 3 }
	anyone := o.start()
	admin := o.admin(anyone)
	made := want[shareLink](admin, 201, http.MethodPost, shareLinks, shareRequest(`,"password":"winter numbers"`))
	other := want[shareLink](admin, 201, http.MethodPost, shareLinks, shareRequest(`,"password":"winter numbers"`))
	open := func(secret, password string) (code string, key string) {
		answer := anyone.do(http.MethodPost, shareLinks+"/open", `{"secret":"`+secret+`"`+password+`}`)
		body := decode[struct{ Code, Key string }](t, answer)
		return body.Code, body.Key
	}
	if code, _ := open(made.Secret, ""); code != "share_password_required" {
		t.Errorf("without a password: %s", code)
	}
	for range 3 {
		if code, _ := open(made.Secret, `,"password":"summer"`); code != "wrong_share_password" {
			t.Errorf("a wrong password: %s", code)
		}
	}
	if code, _ := open(made.Secret, `,"password":"winter numbers"`); code != "rate_limited" {
		t.Errorf("after three wrong passwords: %s", code)
	}
	// Another link goes on, and its key depends on the password.
	if _, key := open(other.Secret, `,"password":"winter numbers"`); key == "" || key == authn.LinkKey(other.Secret, "") {
		t.Errorf("the key of another link is %q", key)
	}
}

// TestEndedShareLinks checks that an expired link says so, and that links are deleted a month after their end.
func TestEndedShareLinks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	made := want[shareLink](admin, 201, http.MethodPost, shareLinks, shareRequest(""))
	o.execute(`UPDATE auth.share_links SET expires_at = now()`)
	wantProblem(t, anyone.do(http.MethodPost, shareLinks+"/open", `{"secret":"`+made.Secret+`"}`), 403, "share_link_expired")
	pool, err := platformpostgres.Open(t.Context(), o.postgres, "hp_auth", "test", platformtest.Deps(t).TracerProvider)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for days, left := range map[int]int{29: 1, 31: 0} {
		o.execute(`DELETE FROM auth.share_links`)
		o.execute(`INSERT INTO auth.share_links (id, project, name, report, secret_hash, key_hash, owner, expires_at)
			SELECT gen_random_uuid(), 1, 'old', '{}', sha256($2), sha256($2), id, now() - make_interval(days => $1) FROM auth.users`, days, []byte(strconv.Itoa(days)))
		if _, err := (postgres.Store{Pool: pool}).PruneShareLinks(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		o.value(`SELECT count(*) FROM auth.share_links `, &n)
		if n != left {
			t.Errorf("%d links are left that ended %d days ago, want %d", n, days, left)
		}
	}
}
