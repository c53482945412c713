package auth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

type archived struct {
	Name       string  `json:"name"`
	ArchivedAt *string `json:"archived_at"`
	Version    int     `json:"version"`
}

// TestAnArchivedProject archives a project and follows what its members and its key can do, and undoes it.
func TestAnArchivedProject(t *testing.T) {
	t.Parallel()
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const path = "/auth/projects/shop"
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	owner, _ := o.join(admin, "shop", "owner@example.com", "owner")
	analyst, analystID := o.join(admin, "shop", "analyst@example.com", "analyst")
	key := want[apiKey](owner.in("shop"), 201, post, "/auth/api-keys", `{"name":"job","scopes":["admin"]}`)
	want[any](anyone.as(key.Key), 200, get, "/auth/api-keys", "")

	wantProblem(t, analyst.do(patch, path, `{"archived":true}`), 403, "forbidden")
	first := want[archived](owner, 200, patch, path, `{"archived":true,"name":"Closed"}`)
	if first.ArchivedAt == nil || first.Name != "Closed" {
		t.Errorf("archived: %+v", first)
	}
	if again := want[archived](owner, 200, patch, path, `{"archived":true}`); again.Version != first.Version || *again.ArchivedAt != *first.ArchivedAt {
		t.Errorf("archived again: %+v", again)
	}
	platformtest.Eventually(t, time.Minute, "changes are refused, and the key stops", func() bool {
		return owner.in("shop").do(post, "/auth/api-keys", `{"name":"late","scopes":["read"]}`).Code == 403 && anyone.as(key.Key).do(get, "/auth/api-keys", "").Code == 401
	})
	wantProblem(t, owner.in("shop").do(post, "/auth/api-keys", `{"name":"late","scopes":["read"]}`), 403, "project_archived")
	wantProblem(t, admin.do(post, path+"/invitations", `{"role":"viewer"}`), 403, "project_archived")
	wantProblem(t, owner.do(patch, path, `{"name":"x"}`), 403, "project_archived")
	wantProblem(t, anyone.as(key.Key).do(patch, path, `{"archived":false}`), 401, "invalid_api_key")

	// It is read, and what ends something goes on.
	for _, p := range want[struct{ Items []archived }](owner, 200, get, "/auth/projects", "").Items {
		if p.Name == "Closed" && p.ArchivedAt == nil {
			t.Errorf("the list has %+v", p)
		}
	}
	want[any](analyst, 200, get, path, "")
	me := want[struct {
		Projects []struct {
			Slug     string `json:"slug"`
			Archived bool   `json:"archived"`
		} `json:"projects"`
	}](owner, 200, get, "/auth/me", "")
	if len(me.Projects) != 1 || !me.Projects[0].Archived {
		t.Errorf("the memberships of the owner: %+v", me.Projects)
	}
	want[any](owner.in("shop"), 200, get, "/auth/api-keys", "")
	want[any](owner.in("shop"), 200, del, "/auth/api-keys/"+key.ID, "")
	want[any](owner, 204, del, path+"/members/"+analystID, "")

	if open := want[archived](owner, 200, patch, path, `{"archived":false,"name":"Shop"}`); open.ArchivedAt != nil || open.Name != "Shop" {
		t.Errorf("unarchived: %+v", open)
	}
	platformtest.Eventually(t, time.Minute, "changes are taken", func() bool {
		return owner.in("shop").do(post, "/auth/api-keys", `{"name":"new","scopes":["read"]}`).Code == 201
	})
	var entries int
	o.value(`SELECT count(*) FROM audit.log WHERE action = 'project.changed' AND details ? 'archived'`, &entries)
	if entries != 2 {
		t.Errorf("%d entries of the audit log, want 2", entries)
	}
}

// TestARemovedMemberKeepsNothing: the token, the key and the share link of an owner end with the membership, and so does an invitation that
// the owner has made.
func TestARemovedMemberKeepsNothing(t *testing.T) {
	t.Parallel()
	const get, post = http.MethodGet, http.MethodPost
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	member, memberID := o.join(admin, "shop", "owner@example.com", "owner")
	guest, _ := o.join(admin, "shop", "guest@example.com", "viewer")
	key := want[apiKey](member.in("shop"), 201, post, "/auth/api-keys", `{"name":"job","scopes":["admin"],"delegate":true}`)
	made := want[apiKey](anyone.as(key.Key), 201, post, "/auth/api-keys", `{"name":"made by the key","scopes":["admin"]}`)
	link := want[shareLink](member.in("shop"), 201, post, shareLinks, shareRequest(""))
	invited := want[invitation](member, 201, post, "/auth/projects/shop/invitations", `{"role":"owner"}`)
	if code := anyone.open(link.Secret); code != 200 {
		t.Fatalf("the link opens with %d", code)
	}

	want[any](admin, 204, http.MethodDelete, "/auth/projects/shop/members/"+memberID, "")
	platformtest.Eventually(t, time.Minute, "the token, the keys and the link stop", func() bool {
		return member.in("shop").do(get, "/auth/api-keys", "").Code == 403 &&
			anyone.as(key.Key).do(get, "/auth/api-keys", "").Code == 401 && anyone.as(made.Key).do(get, "/auth/api-keys", "").Code == 401 &&
			anyone.open(link.Secret) != 200
	})
	wantProblem(t, member.in("shop").do(get, "/auth/api-keys", ""), 403, "project_forbidden")
	wantProblem(t, member.do(get, "/auth/projects/shop", ""), 404, "unknown_project")
	wantProblem(t, anyone.as(made.Key).do(post, "/auth/api-keys", `{"name":"x","scopes":["read"]}`), 401, "invalid_api_key")
	wantProblem(t, guest.do(post, "/auth/invitations/accept", `{"invitation":"`+invited.Token+`"}`), 403, "invalid_invitation")
	if projects := want[struct{ Items []archived }](member, 200, get, "/auth/projects", "").Items; len(projects) != 0 {
		t.Errorf("the former member lists %v", projects)
	}
	want[any](member, 200, get, "/auth/me", "") // the account itself is as it was
}
