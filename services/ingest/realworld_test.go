package ingest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// TestEventsOfTheField sends what real clients send: no product, names and ids of any script, ids that are no UUIDs.
func TestEventsOfTheField(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES ($1, 1, '9/16" nut', 'Nut', 5, 'EUR')`, uuid.New())
	for name, tc := range map[string]struct{ body, typ, user string }{
		"no product":         {`{"type":"Signed Up","user_id":"q"}`, "Signed Up", "q"},
		"a name of Segment":  {`{"type":"Product Viewed","user_id":"张伟","sku":"9/16\" nut"}`, "Product Viewed", "张伟"},
		"a name of PostHog":  {`{"type":"$pageview","anonymous_id":"ü-😀","properties":{"url":"https://shop.example/","utm_source":"news"}}`, "$pageview", "ü-😀"},
		"another script":     {`{"type":"商品を見た","user_id":"a b"}`, "商品を見た", "a b"},
		"trimmed and NFC":    {`{"type":"  cafe\u0301 ","user_id":" cafe\u0301 "}`, "café", "café"},
		"an id of analytics": {`{"id":"ajs-next-1732600000000-6f1c","ts":"` + ago(time.Minute) + `","type":"a","user_id":"u"}`, "a", "u"},
		"a ULID":             {`{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","ts":"` + ago(time.Minute) + `","type":"b","user_id":"u"}`, "b", "u"},
		"nulls":              {`{"id":null,"ts":null,"sent_at":null,"sku":null,"product_id":null,"anonymous_id":null,"properties":null,"type":"c","user_id":"u"}`, "c", "u"},
	} {
		a := p.post("/events", p.ingestKey, tc.body)
		a.expect(t, http.StatusAccepted, "")
		n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN ingest.names AS m ON m.project = e.project AND m.n = e.name
			JOIN ingest.users AS u ON u.project = e.project AND u.n = e.user_n WHERE e.id = $1 AND m.name = $2 AND u.id = $3`, a.string("id"), tc.typ, tc.user)
		if n != 1 {
			t.Errorf("%s: %d rows", name, n)
		}
	}
	for name, body := range map[string]string{
		"a line break":      `{"type":"a\nb","user_id":"u"}`,
		"201 characters":    fmt.Sprintf(`{"type":"%0201d","user_id":"u"}`, 1),
		"a user of a NUL":   `{"type":"a","user_id":"\u0000"}`,
		"half an emoji":     `{"type":"a","user_id":"\ud83d"}`,
		"nobody":            `{"type":"a"}`,
		"an id without end": fmt.Sprintf(`{"type":"a","user_id":"u","id":"%0201d","ts":"2026-03-14T09:26:53Z"}`, 1),
	} {
		if a := p.post("/events", p.ingestKey, body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %v", name, a.status, a.object)
		}
	}
}

// TestTheSameIDWithOtherContentIsAConflict sends it alone, in one bulk and in another bulk.
func TestTheSameIDWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	p := start(t)
	at := ago(time.Hour)
	event := func(id, typ string) string {
		return fmt.Sprintf(`{"id":%q,"ts":%q,"type":%q,"user_id":"customer-17"}`, id, at, typ)
	}
	p.post("/events", p.ingestKey, event("1", "a")).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, event("1", "b")).expect(t, http.StatusConflict, "conflict")
	p.post("/events/bulk", p.ingestKey, bulk(event("1", "a"), event("1", "b"), event("2", "a"), event("2", "b"), event("2", "a"))).
		expectBulk(t, 1, 2, "1/id conflict", "3/id conflict")
	p.post("/events/bulk", p.ingestKey, bulk(event("1", "b"))).expectBulk(t, 0, 0, "0/id conflict")
	if n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN ingest.names AS m ON m.n = e.name WHERE m.name = 'a'`); n != 2 {
		t.Errorf("%d events are stored", n)
	}
}

// TestClocksThatAreWrong sends events by clocks that are ahead, with and without sent_at, and again.
func TestClocksThatAreWrong(t *testing.T) {
	t.Parallel()
	p := start(t)
	ahead := `{"id":"1","ts":"` + ago(-61*time.Minute) + `","type":"a","user_id":"u"`
	known := ahead + `,"sent_at":"` + ago(-61*time.Minute) + `"}`
	for range 2 {
		if a := p.post("/events", p.ingestKey, known); a.status != http.StatusAccepted || a.object["warnings"] != nil {
			t.Errorf("a clock that is known to be ahead: %d %v", a.status, a.object)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE ts > now() + interval '55 minutes' AND (properties::jsonb->>'$skew_ms')::bigint BETWEEN -3700000 AND -3600000`); n != 1 {
		t.Errorf("%d rows with a skew", n)
	}
	// A retry after the clock was set right.
	if a := p.post("/events", p.ingestKey, ahead+`,"sent_at":"`+ago(0)+`"}`); a.string("status") != "duplicate" || a.object["warnings"] != nil {
		t.Errorf("by a clock that was set right: %v", a.object)
	}
	ts := time.Now().Add(61 * time.Minute).UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
	unknown := `{"id":"2","ts":"` + ts + `","type":"a","user_id":"u","properties":{"a":1}}`
	for i, want := range []string{"accepted", "duplicate", "duplicate"} {
		a := p.post("/events", p.ingestKey, unknown)
		warnings, _ := json.Marshal(a.object["warnings"])
		if a.string("status") != want || !json.Valid(warnings) || string(warnings) == "null" {
			t.Errorf("attempt %d: %v", i, a.object)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE ts BETWEEN now() - interval '1 minute' AND now() AND properties::jsonb->>'a' = '1' AND properties::jsonb->>'$ts_sent' = $1`, ts); n != 1 {
		t.Errorf("%d clamped rows", n)
	}
	// When its time is not too far ahead any more, it is still the same event.
	p.exec(`UPDATE ingest.event_times SET ts_sent = ts_sent - interval '40 minutes' WHERE ts <> ts_sent`)
	sent, err := time.Parse(time.RFC3339Nano, ts)
	if err != nil {
		t.Fatal(err)
	}
	later := `{"id":"2","ts":"` + sent.Add(-40*time.Minute).Truncate(time.Microsecond).Format(time.RFC3339Nano) + `","type":"a","user_id":"u","properties":{"a":1}}`
	if a := p.post("/events/bulk", p.ingestKey, bulk(view(""), later)); a.number("accepted") != 1 || a.number("duplicates") != 1 {
		t.Errorf("later: %v", a.object)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 3 {
		t.Errorf("%d events", n)
	}
}

// TestVisitorsThatBecomeKnown sends events of a visitor before, when and after it is known who that is.
func TestVisitorsThatBecomeKnown(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := `{"id":"1","ts":"` + ago(time.Hour) + `","type":"a","anonymous_id":"v"}`
	p.post("/events", p.ingestKey, first).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, `{"type":"b","anonymous_id":"v","user_id":"anna"}`).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, `{"type":"c","anonymous_id":"v"}`).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, `{"type":"d","anonymous_id":"v","user_id":"ben"}`).expect(t, http.StatusAccepted, "")
	if a := p.post("/events", p.ingestKey, first); a.string("status") != "duplicate" {
		t.Errorf("the first one again: %v", a.object)
	}
	for name, user := range map[string]string{"a": "v", "b": "anna", "c": "anna", "d": "ben"} {
		n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN ingest.names AS m ON m.n = e.name JOIN ingest.users AS u ON u.n = e.user_n
			WHERE m.name = $1 AND u.id = $2 AND u.anonymous = ($2 = 'v')`, name, user)
		if n != 1 {
			t.Errorf("%d events %s of %s", n, name, user)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.users AS v JOIN ingest.users AS u ON u.n = v.person WHERE v.id = 'v' AND u.id = 'anna' AND v.joined_at IS NOT NULL`); n != 1 {
		t.Error("the visitor is not joined to anna")
	}
}

// TestAKeyThatCreatesProducts sends unknown SKUs with it, with another key, and by id.
func TestAKeyThatCreatesProducts(t *testing.T) {
	t.Parallel()
	p := start(t)
	other, project := p.projectKey("other")
	p.exec(`UPDATE auth.api_keys SET unknown_products = 'create' WHERE key_hash = $1`, authn.HashKey(other))
	item := func(sku string) string { return fmt.Sprintf(`{"type":"view","sku":%q,"user_id":"u"}`, sku) }
	p.post("/events/bulk", other, bulk(item("BANK CHARGES"), item("größe-42"), item("BANK CHARGES"), item("SHOE"), item("\t"))).
		expectBulk(t, 4, 0, "4/sku invalid_value")
	p.post("/events", other, item("商品-1")).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, item("BANK CHARGES")).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/events", other, `{"type":"view","product_id":"`+shoeID+`","user_id":"u"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	if n := p.count(`SELECT count(*) FROM catalog.products WHERE project = $1 AND placeholder AND name = sku AND price_minor = 0 AND currency = 'JPY'`, project); n != 3 {
		t.Errorf("%d placeholders, want 3", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events AS e JOIN catalog.products AS p ON p.n = e.product WHERE e.project = $1 AND p.project = $1`, project); n != 5 {
		t.Errorf("%d events of products of the project, want 5", n)
	}
}

// TestGuestsAreApart sends the same id and ts with a key, as a guest and as another guest.
func TestGuestsAreApart(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := `{"id":"` + uuid.NewString() + `","ts":"` + ago(time.Minute) + `","type":"view","sku":"SHOE"`
	alice, bob := p.auth.Token(authn.User, aliceID), p.auth.Token(authn.User, bobID)
	ids := map[string]bool{}
	for _, tc := range []struct{ token, body, status string }{
		{alice, body + `}`, "accepted"}, {bob, body + `}`, "accepted"}, {p.ingestKey, body + `,"user_id":"u"}`, "accepted"}, {alice, body + `}`, "duplicate"},
	} {
		a := p.post("/events", tc.token, tc.body)
		if a.string("status") != tc.status {
			t.Errorf("got %v, want %s", a.object, tc.status)
		}
		ids[a.string("id")] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids %v, want 3", ids)
	}
	p.post("/events", alice, `{"type":"Signed Up"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/events", alice, `{"type":"view","anonymous_id":"v"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
}
