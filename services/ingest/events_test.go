package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
)

// v7 returns a UUIDv7 of time ts.
func v7(ts time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	for i := range 6 {
		id[i] = byte(ts.UnixMilli() >> (40 - 8*i))
	}
	return id
}

// ago returns a time in the past as it is sent.
func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339Nano) }

func TestEveryOperationIsServed(t *testing.T) {
	t.Parallel()
	p := start(t)
	accepted := p.post("/events", p.ingestKey, `{"type":"view","sku":"SHOE","user_id":"customer-17"}`)
	accepted.expect(t, http.StatusAccepted, "")
	p.post("/events/bulk", p.ingestKey, `{"events":[{"type":"view","sku":"SHOE","user_id":"customer-17"}]}`).expectBulk(t, 1, 0)
	p.post("/purchases", p.ingestKey, `{"sku":"SHOE","quantity":1,"user_id":"customer-17"}`).expect(t, http.StatusCreated, "")
	p.post("/purchases/bulk", p.ingestKey, `{"purchases":[{"sku":"SHOE","quantity":1,"user_id":"customer-17"}]}`).expectBulk(t, 1, 0)
	p.post("/orders", p.ingestKey, anOrder).expect(t, http.StatusCreated, "")
	p.post("/orders/bulk", p.ingestKey, `{"orders":[`+anOrder+`]}`).expectBulk(t, 0, 1)
	p.get("/orders/web-1001", p.apiKey("read")).expect(t, http.StatusOK, "")
	p.post("/orders/web-1001/refunds", p.ingestKey, `{"id":"r"}`).expect(t, http.StatusCreated, "")
	loose := `{"id":"loose","user_id":"customer-17","currency":"EUR","lines":[{"sku":"SHOE","quantity":1,"amount_minor":100}]}`
	p.post("/refunds", p.ingestKey, loose).expect(t, http.StatusCreated, "")
	p.post("/refunds/bulk", p.ingestKey, `{"refunds":[`+loose+`]}`).expectBulk(t, 0, 1)
	owner := p.apiKey("admin")
	history := p.post("/imports", owner, `{"id":"history","from":"2011-01-01","to":"2011-01-31"}`)
	history.expect(t, http.StatusOK, "")
	p.get("/imports/"+history.string("id"), owner).expect(t, http.StatusOK, "")
	p.send(http.MethodDelete, "/imports/"+history.string("id"), owner, nil).expect(t, http.StatusOK, "")
	p.get("/events/batches/"+accepted.string("batch_id"), p.ingestKey).expect(t, http.StatusOK, "")
	p.post("/events/beacon", p.publicKey(), `{"events":[{"type":"page","anonymous_id":"visitor"}]}`).expect(t, http.StatusAccepted, "")
	p.post("/segment/beacon/v1/batch?writeKey="+p.publicKey(), "", `{"batch":[]}`).expect(t, http.StatusOK, "")
	p.get("/segment/v1/projects/hpw_any/settings", "").expect(t, http.StatusOK, "")
	p.get("/segment/sourceConfig/?p=npm&v=3&build=modern&writeKey=hpw_any&lockIntegrationsVersion=false&lockPluginsVersion=false", "").expect(t, http.StatusOK, "")
	p.post("/segment/v1/track", p.ingestKey, `{"event":"Signed Up","userId":"customer-17"}`).expect(t, http.StatusOK, "")
	p.post("/otlp/v1/logs", p.ingestKey, "{}").expect(t, http.StatusOK, "")
	p.post("/cloudevents", p.ingestKey, "[]", "Content-Type", "application/cloudevents-batch+json").expect(t, http.StatusAccepted, "")
	for _, path := range []string{"capture/", "capture", "i/v0/e/", "i/v0/e"} {
		p.post("/posthog/"+path, p.ingestKey, `{"event":"Signed Up","distinct_id":"customer-17"}`).expect(t, http.StatusOK, "")
	}
	p.shopify(p.hookKey(1, authn.Shopify, hookSecret), "products/update", `{}`).result(t, "ignored")
	p.stripe(p.hookKey(1, authn.Stripe, stripeSecret), "customer.created", `{}`).result(t, "ignored")
	p.post("/plausible/"+p.publicKey()+"/api/event", "", `{"n":"pageview","u":"https://shop.example/"}`).expect(t, http.StatusAccepted, "")
	read := p.apiKey("read")
	for _, path := range []string{"/events", "/users/customer-17/events", "/events/export?day=2026-03-14", "/orders/export?day=2026-03-14", "/refunds/export?day=2026-03-14"} {
		p.get(path, read).expect(t, http.StatusOK, "")
	}
	p.get("/users/customer-17/export", owner).expect(t, http.StatusOK, "")
	p.get("/exports", owner).expect(t, http.StatusOK, "")
	p.get("/exports/"+fmt.Sprint(p.get("/exports", owner).items()[0]["id"]), owner).expect(t, http.StatusOK, "")
	erasure := p.send(http.MethodDelete, "/users/customer-17", owner, nil)
	erasure.expect(t, http.StatusAccepted, "")
	p.get("/erasures/"+erasure.string("id"), owner).expect(t, http.StatusOK, "")
	p.get("/rejections", read).expect(t, http.StatusOK, "")
	p.get("/erasures", owner).expect(t, http.StatusOK, "")
	for _, path := range []string{"/health", "/ready", "/metrics", "/openapi.yaml", "/docs"} {
		p.get(path, "").expect(t, http.StatusOK, "")
	}
	p.get("/nowhere", "").expect(t, http.StatusNotFound, "no_such_path")
	p.get("/purchases", "").expect(t, http.StatusMethodNotAllowed, "method_not_allowed")
	if missing := p.checker.Missing("ingest"); len(missing) > 0 {
		t.Errorf("operations without a good answer: %v", missing)
	}
}

func TestAnAcceptedEventIsStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := uuid.New()
	a := p.post("/events", p.ingestKey, `{"id":"`+id.String()+`","type":"add_to_cart","product_id":"`+shoeID+`",
		"user_id":"customer-17","ts":"`+ago(time.Hour)+`","properties":{"size": 42, "n":1.50}}`)
	a.expect(t, http.StatusAccepted, "")
	if a.string("id") != id.String() || a.string("status") != "accepted" {
		t.Errorf("got %v", a.object)
	}
	// From another connection: what was answered with 202 is committed.
	if n := p.count(`SELECT count(*) FROM ingest.events AS e
		JOIN ingest.batches AS b USING (project) JOIN catalog.products AS p ON p.n = e.product
		JOIN ingest.users AS u ON u.project = e.project AND u.n = e.user_n JOIN ingest.names AS names ON names.project = e.project AND names.n = e.name
		WHERE e.project = 1 AND e.batch = b.id AND e.id = $1 AND names.name = 'add_to_cart' AND names.n = 3 AND p.id = $2
		AND u.id = 'customer-17' AND NOT u.anonymous AND u.first_seen = ts AND properties = '{"size": 42, "n":1.50}'
		AND b.id = $3::bigint AND b.kind = 'events' AND b.rows = 1 AND b.min_ts = ts AND b.max_ts = ts AND b.aggregated_at IS NULL`,
		id, shoeID, a.string("batch_id")); n != 1 {
		t.Errorf("%d such rows, want 1", n)
	}
}

func TestARetryIsADuplicate(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, body := range map[string]string{
		"id and ts":      `{"id":"` + uuid.NewString() + `","ts":"` + ago(48*time.Hour) + `",`,
		"id with a time": `{"id":"` + v7(time.Now().Add(-time.Minute)).String() + `",`,
		"ts of a fine resolution, in another zone": `{"id":"` + uuid.NewString() + `","ts":"` +
			time.Now().In(time.FixedZone("", 5400)).Format("2006-01-02T15:04:05.999999999Z07:00") + `",`,
	} {
		body += `"type":"view","sku":"SHOE","user_id":"customer-17"}`
		first := p.post("/events", p.ingestKey, body)
		again := p.post("/events", p.ingestKey, body)
		if first.string("status") != "accepted" || again.string("status") != "duplicate" || first.string("id") != again.string("id") {
			t.Errorf("%s: got %v, then %v", name, first.object, again.object)
		}
		if n := p.count(`SELECT count(*) FROM ingest.events WHERE id = $1`, first.string("id")); n != 1 {
			t.Errorf("%s: %d rows", name, n)
		}
		receipt := p.get("/events/batches/"+again.string("batch_id"), p.ingestKey)
		if receipt.number("events") != 0 || receipt.string("state") != "aggregated" {
			t.Errorf("%s: the receipt of what stored nothing is %v", name, receipt.object)
		}
	}
}

func TestBadEvents(t *testing.T) {
	t.Parallel()
	p := start(t)
	good := `"type":"view","sku":"SHOE","user_id":"customer-17"`
	cases := map[string]struct {
		body   string
		header []string
		status int
		code   string
		errors []string
	}{
		"malformed":        {body: `{"type":`, status: 400, code: "malformed_json"},
		"empty":            {body: ``, status: 400, code: "malformed_json"},
		"trailing garbage": {body: `{` + good + `} x`, status: 400, code: "malformed_json"},
		"not an object":    {body: `[{` + good + `}]`, status: 422, code: "validation_failed", errors: []string{" wrong_type"}},
		"many problems": {
			body: `{"typ":"view","user_id":7,"ts":"noon","properties":[]}`, status: 422, code: "validation_failed",
			errors: []string{"/typ unknown_field", "/user_id wrong_type", "/ts invalid_value", "/properties wrong_type", "/type required"},
		},
		"twice":           {body: `{"type":"click",` + good + `}`, status: 422, code: "validation_failed", errors: []string{"/type duplicate_field"}},
		"two products":    {body: `{"product_id":"` + shoeID + `",` + good + `}`, status: 422, code: "validation_failed", errors: []string{"/sku product_ambiguous"}},
		"unknown product": {body: `{"type":"view","sku":"NONE","user_id":"u"}`, status: 422, code: "validation_failed", errors: []string{"/sku unknown_product"}},
		"unknown id":      {body: `{"type":"view","product_id":"` + uuid.NewString() + `","user_id":"u"}`, status: 422, code: "validation_failed", errors: []string{"/product_id unknown_product"}},
		"ts too old":      {body: `{"ts":"` + ago(91*24*time.Hour) + `",` + good + `}`, status: 422, code: "validation_failed", errors: []string{"/ts ts_too_old"}},
		"no user":         {body: `{"type":"view","sku":"SHOE"}`, status: 422, code: "validation_failed", errors: []string{"/user_id user_id_required"}},
		"too large":       {body: `{"properties":{"a":"` + strings.Repeat("x", 33<<10) + `"},` + good + `}`, status: 413, code: "event_too_large"},
		"a media type":    {body: `{` + good + `}`, header: []string{"Content-Type", "text/plain"}, status: 415, code: "unsupported_media_type"},
		"no media type":   {body: `{` + good + `}`, header: []string{"Content-Type", "/"}, status: 415, code: "unsupported_media_type"},
		"NDJSON":          {body: `{` + good + `}`, header: []string{"Content-Type", "application/x-ndjson"}, status: 415, code: "unsupported_media_type"},
		"an encoding":     {body: `{` + good + `}`, header: []string{"Content-Encoding", "br"}, status: 415, code: "unsupported_encoding"},
		"not so encoded":  {body: `{` + good + `}`, header: []string{"Content-Encoding", "gzip"}, status: 400, code: "unreadable_body"},
	}
	t.Run("each", func(t *testing.T) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := p.post("/events", p.ingestKey, tc.body, tc.header...)
				a.expect(t, tc.status, tc.code)
				if diff := cmp.Diff(tc.errors, a.problems()); diff != "" {
					t.Errorf("errors (-want +got):\n%s", diff)
				}
			})
		}
	})
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, header := range [][]string{nil, {"Content-Type", "application/json; charset=utf-8"}, {"Content-Type", "Application/JSON"}} {
		p.post("/events", p.ingestKey, `{"type":"view","sku":"SHOE","user_id":"u"}`, header...).expect(t, http.StatusAccepted, "")
	}
	a := p.post("/events", p.ingestKey, `{}`, "Content-Encoding", "br")
	if got := a.header.Get("Accept-Encoding"); got != "gzip, zstd" {
		t.Errorf("after an unknown encoding: Accept-Encoding %q", got)
	}
}

func TestWhoMayWrite(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := func(user string) string { return `{"type":"view","sku":"SHOE"` + user + `}` }
	alice := p.auth.Token(authn.User, aliceID)
	for name, tc := range map[string]struct {
		token, user string
		status      int
		code        string
		errors      []string
	}{
		"nobody":                   {status: 401, code: "credentials_required"},
		"a user, implied":          {token: alice, status: 202},
		"a user, named":            {token: alice, user: aliceID, status: 202},
		"a user for another":       {token: alice, user: bobID, status: 422, code: "validation_failed", errors: []string{"/user_id user_id_mismatch"}},
		"an admin for another":     {token: p.auth.Token(authn.Admin, aliceID), user: bobID, status: 422, code: "validation_failed", errors: []string{"/user_id user_id_mismatch"}},
		"an analyst":               {token: p.auth.Token(authn.Analyst, aliceID), status: 202},
		"a key for anybody":        {token: p.ingestKey, user: bobID, status: 202},
		"a key for nobody":         {token: p.ingestKey, status: 422, code: "validation_failed", errors: []string{"/user_id user_id_required"}},
		"an admin's key":           {token: p.apiKey("admin"), user: "customer-17", status: 202},
		"a key that may only read": {token: p.apiKey("read"), user: bobID, status: 403, code: "forbidden"},
		"an unknown key":           {token: authn.NewKey(), user: bobID, status: 401, code: "invalid_api_key"},
		"an expired token":         {token: p.auth.Token(authn.User, aliceID, authntest.ExpiresAt(time.Now().Add(-time.Hour))), status: 401, code: "token_expired"},
		"an unsigned token":        {token: p.auth.Token(authn.User, aliceID, authntest.Unsigned()), status: 401, code: "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := ""
			if tc.user != "" {
				user = fmt.Sprintf(`,"user_id":%q`, tc.user)
			}
			a := p.post("/events", tc.token, event(user))
			a.expect(t, tc.status, tc.code)
			if diff := cmp.Diff(tc.errors, a.problems()); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if tc.status == 401 || tc.status == 403 { // and the same on the other writes
				p.post("/events/bulk", tc.token, `{"events":[`+event(user)+`]}`).expect(t, tc.status, tc.code)
				p.post("/purchases", tc.token, `{"sku":"SHOE","quantity":1}`).expect(t, tc.status, tc.code)
			}
		})
	}
}

func TestAUsersEventIsThatUsers(t *testing.T) {
	t.Parallel()
	p := start(t)
	a := p.post("/events", p.auth.Token(authn.User, aliceID), `{"type":"view","sku":"SHOE"}`)
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE id = $1 AND user_n = (SELECT n FROM ingest.users WHERE id = $2 AND NOT anonymous)`, a.string("id"), aliceID); n != 1 {
		t.Errorf("%d rows of the user", n)
	}
}
