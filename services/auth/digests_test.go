package auth_test

import (
	"net/http"
	"strings"
	"testing"
)

type digestAnswer struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Every      string   `json:"every"`
	Hour       int      `json:"hour"`
	Recipients []string `json:"recipients"`
	URL        string   `json:"url"`
	Enabled    bool     `json:"enabled"`
	Last       *struct {
		Test  bool   `json:"test"`
		State string `json:"state"`
	} `json:"last"`
}

type digestPage struct{ Items []digestAnswer }

type digestMade struct {
	Digest digestAnswer
	Secret string
}

const digests = "/digests"

// TestDigests checks who makes, changes and tests digests, and that the secret of a webhook is shown once.
func TestDigests(t *testing.T) {
	t.Parallel()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	analyst, _ := o.join(admin, "shop", "analyst@example.com", "analyst")
	viewer, _ := o.join(admin, "shop", "viewer@example.com", "viewer")
	wantProblem(t, viewer.do(get, digests, ""), http.StatusForbidden, "forbidden")

	mail := want[digestMade](analyst, http.StatusCreated, post, digests, `{"name":" Week ","every":"week","hour":8,"recipients":["ada@example.com"],"enabled":true}`)
	if mail.Secret != "" || mail.Digest.Name != "Week" || mail.Digest.Last != nil {
		t.Errorf("made: %+v", mail)
	}
	hook := want[digestMade](analyst, http.StatusCreated, post, digests, `{"name":"Hook","every":"day","hour":2,"url":"https://example.com/hook?key=pass","enabled":true}`)
	if !strings.HasPrefix(hook.Secret, "whsec_") || len(hook.Secret) < 40 {
		t.Errorf("made: %+v", hook)
	}
	body := analyst.do(get, digests, "").Body.String()
	if strings.Contains(body, hook.Secret) || !strings.Contains(body, mail.Digest.ID) {
		t.Errorf("listed: %s", body)
	}

	wantProblem(t, analyst.do(put, digests+"/"+mail.Digest.ID, `{"name":"x","every":"week","hour":8,"url":"https://example.com","enabled":true}`),
		http.StatusUnprocessableEntity, "validation_failed", "/url channel_fixed")
	scheduled := func() (at string) {
		o.value(`SELECT scheduled_at::text FROM workspace.digests WHERE id = $1`, &at, mail.Digest.ID)
		return at
	}
	first := scheduled()
	want[digestAnswer](analyst, http.StatusOK, put, digests+"/"+mail.Digest.ID, `{"name":"Days","every":"week","hour":8,"recipients":["ada@example.com"],"enabled":false}`)
	if scheduled() != first {
		t.Error("another name gives a digest another schedule")
	}
	want[digestAnswer](analyst, http.StatusOK, put, digests+"/"+mail.Digest.ID, `{"name":"Days","every":"week","hour":8,"recipients":["ada@example.com"],"enabled":true}`)
	if scheduled() == first {
		t.Error("a digest that is enabled is sent for the time when it was not")
	}

	want[struct{ State string }](analyst, http.StatusAccepted, post, digests+"/"+mail.Digest.ID+"/test", "")
	wantProblem(t, analyst.do(post, digests+"/"+mail.Digest.ID+"/test", ""), http.StatusConflict, "test_pending")
	if last := want[digestPage](analyst, http.StatusOK, get, digests, "").Items[0].Last; last == nil || !last.Test || last.State != "waiting" {
		t.Errorf("the last delivery is %+v", last)
	}

	other := admin.in("default")
	if got := want[digestPage](other, http.StatusOK, get, digests, ""); len(got.Items) != 0 {
		t.Errorf("another project has %v", got)
	}
	wantProblem(t, other.do(del, digests+"/"+hook.Digest.ID, ""), http.StatusNotFound, "unknown_digest")
	wantProblem(t, other.do(post, digests+"/"+hook.Digest.ID+"/test", ""), http.StatusNotFound, "unknown_digest")
	want[struct{}](analyst, http.StatusNoContent, del, digests+"/"+mail.Digest.ID, "")
	want[struct{}](analyst, http.StatusNoContent, del, digests+"/"+hook.Digest.ID, "")
	var actions, details string
	o.value(`SELECT string_agg(action, ' ' ORDER BY id) FROM audit.log WHERE subject = $1`, &actions, "digest:"+mail.Digest.ID)
	if actions != "digest.created digest.changed digest.changed digest.tested digest.deleted" {
		t.Errorf("the audit log has %s", actions)
	}
	o.value(`SELECT string_agg(details::text, '') FROM audit.log WHERE subject = $1`, &details, "digest:"+hook.Digest.ID)
	if !strings.Contains(details, "example.com") || strings.Contains(details, "pass") || strings.Contains(details, hook.Secret) {
		t.Errorf("the audit log has %s", details)
	}
}

func TestInvalidDigests(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	for members, field := range map[string]string{
		`"hour":8`: "/recipients one_channel",
		`"hour":8,"recipients":["a@example.com"],"url":"https://example.com"`: "/recipients one_channel",
		`"hour":8,"url":"ftp://example.com"`:                                  "/url invalid_value",
		`"hour":8,"url":"https://user:pass@example.com"`:                      "/url invalid_value",
		`"hour":8,"url":"https:///path"`:                                      "/url invalid_value",
		`"hour":0,"url":"https://example.com"`:                                "/hour too_small",
	} {
		wantProblem(t, admin.do(http.MethodPost, digests, `{"name":"x","every":"day","enabled":true,`+members+`}`), http.StatusUnprocessableEntity, "validation_failed", field)
	}
	o.execute(`INSERT INTO workspace.digests (id, project, name, every, hour, recipients, url, secret, enabled)
		SELECT gen_random_uuid(), 1, 'x', 'day', 8, '{a@example.com}', '', '', true FROM generate_series(1, 50)`)
	wantProblem(t, admin.do(http.MethodPost, digests, `{"name":"x","every":"day","enabled":true,"hour":8,"url":"https://example.com"}`), http.StatusConflict, "too_many_digests")
}
