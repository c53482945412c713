package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/auth"
)

type alertAnswer struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Threshold *float64 `json:"threshold"`
	Baseline  *string  `json:"baseline"`
	Last      *evaluationAnswer
}

type evaluationAnswer struct {
	From, To, State string
	Value, Low      *float64
	Fired           bool
	Delivery        *struct{ State string }
}

type alertMade struct {
	Alert  alertAnswer
	Secret string
}

const (
	alerts    = "/alerts"
	fewOrders = `{"name":"Few","metric":"orders","every":"day","hour":2,"condition":"below","threshold":5,"notify_recovery":true,"url":"https://example.com/hook?key=pass","enabled":true}`
	unusual   = `{"name":"Odd","metric":"users","every":"day","hour":2,"condition":"anomaly","sensitivity":3.5,"baseline":"same_weekday","direction":"down",
		"notify_recovery":true,"recipients":["ada@example.com"],"enabled":true}`
)

// TestAlerts checks who makes, changes and tests alerts, what is shown of evaluations, and that the secret of a webhook is shown once.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	admin := o.admin(o.start())
	admin.createProject("shop")
	analyst, _ := o.join(admin, "shop", "analyst@example.com", "analyst")
	viewer, _ := o.join(admin, "shop", "viewer@example.com", "viewer")
	wantProblem(t, viewer.do(get, alerts, ""), http.StatusForbidden, "forbidden")
	wantProblem(t, viewer.do(post, alerts, fewOrders), http.StatusForbidden, "forbidden")

	mail := want[alertMade](analyst, http.StatusCreated, post, alerts, unusual)
	if mail.Secret != "" || mail.Alert.Threshold != nil || mail.Alert.Baseline == nil || *mail.Alert.Baseline != "same_weekday" || mail.Alert.Last != nil {
		t.Errorf("made: %+v", mail)
	}
	hook := want[alertMade](analyst, http.StatusCreated, post, alerts, fewOrders)
	if !strings.HasPrefix(hook.Secret, "whsec_") || hook.Alert.Threshold == nil || *hook.Alert.Threshold != 5 || hook.Alert.Baseline != nil {
		t.Errorf("made: %+v", hook)
	}
	if body := analyst.do(get, alerts, "").Body.String(); strings.Contains(body, hook.Secret) || !strings.Contains(body, mail.Alert.ID) {
		t.Errorf("listed: %s", body)
	}
	path := alerts + "/" + hook.Alert.ID
	wantProblem(t, analyst.do(put, path, unusual), http.StatusUnprocessableEntity, "validation_failed", "/url channel_fixed")
	scheduled := func() (at string) {
		o.value(`SELECT scheduled_at::text FROM workspace.alerts WHERE id = $1`, &at, hook.Alert.ID)
		return at
	}
	first := scheduled()
	want[alertAnswer](analyst, http.StatusOK, put, path, strings.Replace(fewOrders, "Few", "Fewer", 1))
	if scheduled() != first {
		t.Error("another name gives an alert another schedule")
	}
	want[alertAnswer](analyst, http.StatusOK, put, path, strings.Replace(fewOrders, `"threshold":5`, `"threshold":6`, 1))
	if scheduled() == first {
		t.Error("an alert with another condition is evaluated for the time when it had the former one")
	}

	o.execute(`INSERT INTO workspace.evaluations (id, alert, first_day, last_day, due_at, state, value, low, fired, as_of)
		VALUES (gen_random_uuid(), $1, '2026-03-13', '2026-03-13', now(), 'evaluated', 9, 6, false, now()),
		       (gen_random_uuid(), $1, '2026-03-14', '2026-03-14', now(), 'evaluated', 3, 6, true, now())`, hook.Alert.ID)
	o.execute(`INSERT INTO workspace.evaluations (id, alert, first_day, last_day, due_at, state, value, low, fired, as_of, created_at)
		VALUES (gen_random_uuid(), $1, '2026-03-15', '2026-03-15', now(), 'evaluated', 120000, 6, false, now(), $2::timestamptz - interval '1 second')`,
		hook.Alert.ID, scheduled()) // of the condition before
	o.execute(`INSERT INTO workspace.deliveries (id, alert, test, first_day, last_day) VALUES (gen_random_uuid(), $1, false, '2026-03-14', '2026-03-14')`, hook.Alert.ID)
	found := want[struct{ Items []evaluationAnswer }](analyst, http.StatusOK, get, path+"/evaluations", "").Items
	if len(found) != 2 || found[0].From != "2026-03-14" || !found[0].Fired || *found[0].Value != 3 || found[0].Delivery == nil || found[0].Delivery.State != "waiting" ||
		found[1].Delivery != nil {
		t.Errorf("evaluations: %+v", found)
	}
	if last := want[alertAnswer](analyst, http.StatusOK, get, path, "").Last; last == nil || last.From != "2026-03-14" {
		t.Errorf("the newest one is %+v", last)
	}

	want[struct{ State string }](analyst, http.StatusAccepted, post, path+"/test", "")
	wantProblem(t, analyst.do(post, path+"/test", ""), http.StatusConflict, "test_pending")
	other := admin.in("default")
	for _, request := range [][2]string{{get, path}, {get, path + "/evaluations"}, {del, path}, {post, path + "/test"}} {
		wantProblem(t, other.do(request[0], request[1], ""), http.StatusNotFound, "unknown_alert")
	}
	want[struct{}](analyst, http.StatusNoContent, del, path, "")
	var actions, details string
	o.value(`SELECT string_agg(action, ' ' ORDER BY id) FROM audit.log WHERE subject = $1`, &actions, "alert:"+hook.Alert.ID)
	if actions != "alert.created alert.changed alert.changed alert.tested alert.deleted" {
		t.Errorf("the audit log has %s", actions)
	}
	o.value(`SELECT string_agg(details::text, '') FROM audit.log WHERE subject = $1`, &details, "alert:"+hook.Alert.ID)
	if !strings.Contains(details, "example.com") || strings.Contains(details, "pass") || strings.Contains(details, hook.Secret) {
		t.Errorf("the audit log has %s", details)
	}
}

func TestInvalidAlerts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	for members, field := range map[string]string{
		`"metric":"orders","every":"day","condition":"below"`:                                                                               "/threshold required",
		`"metric":"revenue","every":"day","condition":"below","threshold":1`:                                                                "/currency required",
		`"metric":"orders","every":"day","condition":"below","threshold":1,"currency":"EUR"`:                                                "/currency not_used",
		`"metric":"orders","every":"day","condition":"below","threshold":1,"baseline":"previous"`:                                           "/baseline not_used",
		`"metric":"orders","every":"day","condition":"below","threshold":1,"event":"view"`:                                                  "/event not_used",
		`"metric":"events","every":"day","condition":"below","threshold":1,"event":"view","product":"0195a3f0-2b6d-7f21-8c4e-5a9d3e7b1f65"`: "/event not_used",
		`"metric":"orders","every":"day","condition":"change","baseline":"previous","direction":"up"`:                                       "/percent required",
		`"metric":"orders","every":"day","condition":"change","baseline":"last_28_days","direction":"up","percent":10`:                      "/baseline invalid_value",
		`"metric":"orders","every":"week","condition":"change","baseline":"same_weekday","direction":"up","percent":10`:                     "/baseline invalid_value",
		`"metric":"orders","every":"week","condition":"anomaly","baseline":"same_weekday","direction":"up","sensitivity":3`:                 "/every invalid_value",
		`"metric":"orders","every":"day","condition":"anomaly","baseline":"previous","direction":"up","sensitivity":3`:                      "/baseline invalid_value",
		`"metric":"orders","every":"day","condition":"anomaly","baseline":"same_weekday","direction":"up","sensitivity":1`:                  "/sensitivity too_small",
		`"metric":"orders","every":"day","condition":"below","threshold":1,"recipients":["a@example.com"]`:                                  "/recipients one_channel",
	} {
		body := `{"name":"x","hour":2,"notify_recovery":false,"enabled":true,"url":"https://example.com",` + members + `}`
		wantProblem(t, admin.do(http.MethodPost, alerts, body), http.StatusUnprocessableEntity, "validation_failed", field)
	}
	o.execute(`INSERT INTO workspace.alerts (id, project, name, metric, currency, event, every, hour, condition, threshold, direction, baseline, notify_recovery, recipients, url, secret, enabled)
		SELECT gen_random_uuid(), 1, 'x', 'orders', '', '', 'day', 8, 'above', 1, '', '', false, '{a@example.com}', '', '', true FROM generate_series(1, 50)`)
	wantProblem(t, admin.do(http.MethodPost, alerts, fewOrders), http.StatusConflict, "too_many_alerts")
}

// TestLimitOfTests checks that tests of digests and alerts of a project are limited together, also of those that were deleted.
func TestLimitOfTests(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.change = func(cfg *auth.Config) { cfg.DigestTestLimit = 2 }
	admin := o.admin(o.start())
	admin.createProject("shop")
	test := func(in client, kind, content string) int {
		path := alerts
		var id string
		if kind == "digest" {
			path = digests
			id = want[digestMade](in, http.StatusCreated, http.MethodPost, path, content).Digest.ID
		} else {
			id = want[alertMade](in, http.StatusCreated, http.MethodPost, path, content).Alert.ID
		}
		code := in.do(http.MethodPost, path+"/"+id+"/test", "").Code
		want[any](in, http.StatusNoContent, http.MethodDelete, path+"/"+id, "")
		return code
	}
	const day = `{"name":"Day","every":"day","hour":8,"url":"https://example.com","enabled":true}`
	shop := admin.in("shop")
	if a, b, c := test(shop, "digest", day), test(shop, "alert", fewOrders), test(shop, "alert", fewOrders); a != 202 || b != 202 || c != 429 {
		t.Errorf("tests are answered with %d, %d, %d", a, b, c)
	}
	if code := test(admin.in("default"), "digest", day); code != 202 {
		t.Errorf("another project is answered with %d", code)
	}
}

// TestRecipientsWhoLeave checks that the address of a member who is removed gets no more digests and alerts.
func TestRecipientsWhoLeave(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	admin.createProject("shop")
	_, eve := o.join(admin, "shop", "eve@example.com", "analyst")
	shop := admin.in("shop")
	const content = `{"name":"Day","every":"day","hour":8,"recipients":[%s],"enabled":true}`
	both := want[digestMade](shop, 201, http.MethodPost, digests, strings.Replace(content, "%s", `"Eve@Example.com","ada@example.com"`, 1)).Digest.ID
	only := want[digestMade](shop, 201, http.MethodPost, digests, strings.Replace(content, "%s", `"eve@example.com"`, 1)).Digest.ID
	watch := want[alertMade](shop, 201, http.MethodPost, alerts, strings.Replace(unusual, `"ada@example.com"`, `"bob@example.com","eve@example.com"`, 1)).Alert.ID
	want[any](admin, http.StatusNoContent, http.MethodDelete, "/auth/projects/shop/members/"+eve, "")
	for id, wanted := range map[string]string{both: "{ada@example.com} true", only: "{eve@example.com} false", watch: "{bob@example.com} true"} {
		var got string
		o.value(`SELECT recipients::text || ' ' || enabled FROM (SELECT id, recipients, enabled FROM workspace.digests UNION ALL SELECT id, recipients, enabled FROM workspace.alerts) d WHERE id = $1`, &got, id)
		if got != wanted {
			t.Errorf("%s, want %s", got, wanted)
		}
	}
	var details string
	o.value(`SELECT details::text FROM audit.log WHERE action = 'member.removed' AND subject = $1`, &details, "account:"+eve)
	if !strings.Contains(details, `"alerts": 1`) || !strings.Contains(details, `"digests": 2`) {
		t.Errorf("the audit log has %s", details)
	}
}
