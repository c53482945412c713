package ingest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// items returns the items of a page.
func (a answer) items() []map[string]any {
	list, _ := a.object["items"].([]any)
	found := make([]map[string]any, len(list))
	for i, each := range list {
		found[i], _ = each.(map[string]any)
	}
	return found
}

// column returns one member of each item.
func (a answer) column(name string) []string {
	var values []string
	for _, item := range a.items() {
		values = append(values, fmt.Sprint(item[name]))
	}
	return values
}

// What was sent is read as it was sent, with the texts of users, products and types, and when it was received.
func TestRawEventsAreReadAsTheyWereSent(t *testing.T) {
	t.Parallel()
	p := start(t)
	key, at := p.apiKey("read"), time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	stored := p.post("/events", p.ingestKey, `{"type":"Signed Up","anonymous_id":"größe-42","ts":"`+at.Format(time.RFC3339Nano)+`","properties":{"n":1.50}}`)
	p.post("/events", p.ingestKey, `{"type":"view","sku":"SHOE","user_id":"=cmd()","ts":"`+at.Add(time.Second).Format(time.RFC3339Nano)+`"}`)
	page := p.get("/events?limit=2", key)
	page.expect(t, http.StatusOK, "")
	if len(page.items()) != 2 || page.object["next_cursor"] != nil {
		t.Fatalf("got %v", page.object)
	}
	received, err := time.Parse(time.RFC3339, fmt.Sprint(page.items()[1]["received_at"]))
	if err != nil || time.Since(received).Abs() > time.Hour {
		t.Errorf("received at %v", page.items()[1])
	}
	want := map[string]any{
		"id": stored.string("id"), "ts": at.Format(time.RFC3339Nano), "type": "Signed Up", "user_id": nil, "anonymous_id": "größe-42",
		"product_id": nil, "sku": nil, "batch_id": stored.string("batch_id"), "received_at": page.items()[1]["received_at"],
		"properties": map[string]any{"n": 1.5},
	}
	if diff := cmp.Diff(want, page.items()[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e := page.items()[0]; e["sku"] != "SHOE" || e["product_id"] != shoeID || e["user_id"] != "=cmd()" || e["anonymous_id"] != nil {
		t.Errorf("the latest event is %v", e)
	}
	for query, want := range map[string]int{
		"type=Signed+Up": 1, "type=%20view%20": 1, "type=none": 0, "anonymous_id=gro%CC%88%C3%9Fe-42": 1, "user_id=gr%C3%B6%C3%9Fe-42": 0,
		"sku=SHOE": 1, "product_id=" + shoeID: 1, "sku=HAT": 0, "product_id=" + hatID + "&type=view": 0,
		"from=" + url.QueryEscape(at.Add(time.Second).Format(time.RFC3339)): 1, "to=" + url.QueryEscape(at.Format(time.RFC3339Nano)): 0,
		"from=" + at.AddDate(0, 0, -2).Format(time.DateOnly) + "&to=" + at.AddDate(0, 0, -1).Format(time.DateOnly): 0,
	} {
		if got := p.get("/events?"+query, key); got.status != http.StatusOK || len(got.items()) != want {
			t.Errorf("%s: %d, %d events, want %d", query, got.status, len(got.items()), want)
		}
	}
	p.get("/users/nobody/events", key).expect(t, http.StatusOK, "")
}

// The agreed names hold what the caller sent, whatever its type: the answer is one that the contract has.
func TestAgreedPropertiesHoldAnyValue(t *testing.T) {
	t.Parallel()
	p := start(t)
	const sent = `{"session_id":{"id":7},"url":["/a",null],"referrer":false,"utm_source":17,"utm_medium":null,"device":"mobile"}`
	p.post("/events", p.ingestKey, `{"type":"view","user_id":"u","properties":`+sent+`}`).expect(t, http.StatusAccepted, "")
	page := p.get("/events", p.apiKey("read"))
	page.expect(t, http.StatusOK, "")
	want := map[string]any{
		"session_id": map[string]any{"id": 7.0}, "url": []any{"/a", nil}, "referrer": false, "utm_source": 17.0, "utm_medium": nil, "device": "mobile",
	}
	if diff := cmp.Diff(want, page.items()[0]["properties"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Days are those of the project: the day of Kolkata begins at 18:30 UTC of the day before.
func TestRawEventsByDaysOfTheProject(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`UPDATE stats.zones SET time_zone = 'Asia/Kolkata' WHERE project = 1`)
	key, day := p.apiKey("read"), time.Now().UTC().AddDate(0, 0, -3).Truncate(24*time.Hour)
	begin := day.Add(-5*time.Hour - 30*time.Minute)
	for i, ts := range []time.Time{begin.Add(-time.Millisecond), begin, begin.Add(24*time.Hour - time.Millisecond), begin.Add(24 * time.Hour)} {
		p.post("/events", p.ingestKey, view(fmt.Sprintf(`"properties":{"i":%d},"ts":"%s",`, i, ts.Format(time.RFC3339Nano)))).expect(t, http.StatusAccepted, "")
	}
	text := day.Format(time.DateOnly)
	got := p.get("/events?from="+text+"&to="+text, key).column("properties")
	if diff := cmp.Diff([]string{"map[i:2]", "map[i:1]"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A timeline has what was sent before somebody was identified, and the orders and refunds.
func TestTimelineOfAUser(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/events", p.ingestKey, `{"type":"view","sku":"SHOE","anonymous_id":"v","ts":"`+ago(5*time.Hour)+`"}`)
	p.post("/events", p.ingestKey, `{"type":"Signed Up","user_id":"customer 17/a","anonymous_id":"v","ts":"`+ago(4*time.Hour)+`"}`)
	p.post("/events", p.ingestKey, `{"type":"view","user_id":"other","ts":"`+ago(4*time.Hour)+`"}`)
	p.post("/purchases", p.ingestKey, `{"id":"A-1","sku":"SHOE","quantity":2,"user_id":"customer 17/a","ts":"`+ago(3*time.Hour)+`"}`).expect(t, http.StatusCreated, "")
	p.post("/orders/A-1/refunds", p.ingestKey, `{"id":"R-1","ts":"`+ago(2*time.Hour)+`"}`).expect(t, http.StatusCreated, "")
	path, key := "/users/"+url.PathEscape("customer 17/a")+"/events", p.apiKey("read")
	whole := p.get(path, key)
	whole.expect(t, http.StatusOK, "")
	if diff := cmp.Diff([]string{"refund", "order", "event", "event"}, whole.column("kind")); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	order, _ := whole.items()[1]["order"].(map[string]any)
	refund, _ := whole.items()[0]["refund"].(map[string]any)
	if order["number"] != "A-1" || refund["order_id"] != order["id"] || refund["user_id"] != "customer 17/a" {
		t.Errorf("order %v, refund %v", order, refund)
	}
	var kinds []string
	cursor := ""
	for range 5 {
		page := p.get(path+"?limit=1"+cursor, key)
		page.expect(t, http.StatusOK, "")
		kinds = append(kinds, page.column("kind")...)
		if page.object["next_cursor"] == nil {
			break
		}
		cursor = "&cursor=" + page.string("next_cursor")
	}
	if diff := cmp.Diff([]string{"refund", "order", "event", "event"}, kinds); diff != "" {
		t.Errorf("one by one (-want +got):\n%s", diff)
	}
}

func TestWhoMayReadRawEvents(t *testing.T) {
	t.Parallel()
	p := start(t)
	alice := p.auth.Token(authn.User, aliceID)
	p.post("/events", alice, `{"type":"view","sku":"SHOE"}`).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	members := map[authn.Role]string{}
	for _, role := range []authn.Role{authn.Owner, authn.Analyst, authn.Viewer} {
		members[role] = p.auth.Token(role, uuid.NewString())
	}
	day := "?day=" + time.Now().UTC().Format(time.DateOnly)
	for _, path := range []string{"/events", "/users/" + aliceID + "/events", "/events/export" + day, "/orders/export" + day, "/refunds/export" + day} {
		p.get(path, "").expect(t, http.StatusUnauthorized, "credentials_required")
		p.get(path, p.ingestKey).expect(t, http.StatusForbidden, "forbidden")
		if a := p.get(path, p.apiKey("read")); a.status != http.StatusOK {
			t.Errorf("%s with a key: %d", path, a.status)
		}
		for role, want := range map[authn.Role]int{authn.Owner: http.StatusOK, authn.Analyst: http.StatusOK, authn.Viewer: http.StatusForbidden} {
			if a := p.get(path, members[role]); a.status != want {
				t.Errorf("%s as %s: %d, want %d", path, role, a.status, want)
			}
		}
	}
	for _, path := range []string{"/events", "/events?user_id=" + aliceID, "/users/" + aliceID + "/events"} {
		if own := p.get(path, alice); own.status != http.StatusOK || len(own.items()) != 1 {
			t.Errorf("a guest reads %s: %d, %v", path, own.status, own.object)
		}
	}
	p.get("/events?user_id=customer-17", alice).expect(t, http.StatusForbidden, "own_events_only")
	p.get("/events?anonymous_id="+aliceID, alice).expect(t, http.StatusForbidden, "own_events_only")
	p.get("/users/customer-17/events", alice).expect(t, http.StatusForbidden, "forbidden")
	p.get("/events/export"+day, alice).expect(t, http.StatusForbidden, "forbidden")
}

func TestBadReadsOfRawEvents(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.apiKey("read")
	p.post("/events/bulk", p.ingestKey, bulk(view(""), view("")))
	cursor := p.get("/events?limit=1", key).string("next_cursor")
	if cursor == "" {
		t.Fatal("there is no second page")
	}
	for query, code := range map[string]string{
		"user_id=a&anonymous_id=b": "user_ambiguous", "sku=a&product_id=" + shoeID: "product_ambiguous",
		"from=yesterday--": "invalid_format", "to=2026-02-30": "invalid_format", "from=2026-03-02&to=2026-03-01": "range_reversed",
		"from=0001-01-01": "invalid_format", "to=9999-12-31": "invalid_format", "from=2026-03-01T00:00:00": "invalid_format",
		"cursor=AAAA": "invalid_cursor", "type=view&cursor=" + cursor: "cursor_mismatch", "limit=101": "validation_failed",
		"offset=10": "validation_failed", "product_id=x": "validation_failed", "user_id=": "validation_failed",
	} {
		p.get("/events?"+query, key).expect(t, http.StatusUnprocessableEntity, code)
	}
	p.get("/users/customer-17/events?cursor="+cursor, key).expect(t, http.StatusUnprocessableEntity, "cursor_mismatch")
	p.get("/events?limit=2&cursor="+cursor, key).expect(t, http.StatusOK, "")
	today := time.Now().UTC().Format(time.DateOnly)
	for query, code := range map[string]string{
		"": "validation_failed", "?day=today": "validation_failed", "?day=" + today + "&after=AAAA": "invalid_cursor",
		"?day=2020-01-01&after=" + "AAZM6g_xYEABlaP0EdJ8nqbwiz5dfCqRAAA": "invalid_cursor", "?day=0001-01-01": "invalid_format",
	} {
		p.get("/events/export"+query, key).expect(t, http.StatusUnprocessableEntity, code)
	}
}

func TestReadsOfRawEventsAreLimited(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.HistoryLimit = 21 })
	key := p.apiKey("read")
	p.get("/events", key).expect(t, http.StatusOK, "")
	if a := p.get("/refunds/export?day=2026-03-01", key); a.status != http.StatusOK {
		t.Errorf("an export is answered with %d", a.status)
	}
	p.get("/users/x/events", key).expect(t, http.StatusTooManyRequests, "rate_limited")
	p.get("/events", p.apiKey("read")).expect(t, http.StatusOK, "")
}
