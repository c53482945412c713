package ingest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// keyID returns the id of an API key.
func (p *platform) keyID(key string) (id string) {
	p.t.Helper()
	if err := p.db.QueryRow(p.t.Context(), `SELECT id::text FROM auth.api_keys WHERE key_hash = $1`, authn.HashKey(key)).Scan(&id); err != nil {
		p.t.Fatal(err)
	}
	return id
}

// rejections waits until GET /rejections has n items, and returns the answer.
func (p *platform) rejections(query string, n int) (found answer) {
	p.t.Helper()
	analyst := p.auth.Token(authn.Analyst, aliceID)
	platformtest.Eventually(p.t, time.Minute, fmt.Sprintf("%d refusals are kept", n), func() bool {
		found = p.get("/rejections"+query, analyst)
		found.expect(p.t, http.StatusOK, "")
		return len(found.items()) >= n
	})
	if len(found.items()) != n {
		p.t.Errorf("%d refusals, want %d: %v", len(found.items()), n, found.object)
	}
	return found
}

// senders are those of an answer.
func (a answer) senders() (all []map[string]any) {
	list, _ := a.object["senders"].([]any)
	for _, each := range list {
		all = append(all, each.(map[string]any))
	}
	return all
}

// TestRefusalsAreShown sends what is refused in every way, also to where the answer does not say so, and reads why, without anything that
// concerns a person.
func TestRefusalsAreShown(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.keyID(p.ingestKey)
	if got := p.get("/rejections?key="+id, p.apiKey("read")).senders(); len(got) != 1 || !strings.HasPrefix(got[0]["summary"].(string), "Nothing was received with this key") {
		t.Errorf("before anything is sent: %v", got)
	}
	const private = `"user_id":"hush@example.com","properties":{"plan":"hush","deep":{"hush":1},"n":7}`
	p.post("/events", p.ingestKey, `{"id":"e-1","type":"view","sku":"BOOT",`+private+`}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/events/bulk", p.ingestKey, `{"events":[{`+private+`},{"type":"view","sku":"BOOT",`+private+`}]}`).expect(t, http.StatusUnprocessableEntity, "")
	p.post("/events", p.ingestKey, `{"type":"hush`).expect(t, http.StatusBadRequest, "malformed_json")
	p.post("/orders", p.ingestKey, `{"id":"o-1","currency":"EUR","lines":[{"sku":"BOOT","quantity":2,"amount_minor":5}],`+private+`}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/orders/bulk", p.ingestKey, `{"orders":[{"id":"o-2","lines":[{"sku":"SHOE","quantity":1,"amount_minor":5}],`+private+`}]}`).expect(t, http.StatusUnprocessableEntity, "")
	p.post("/orders/none/refunds", p.ingestKey, `{"id":"r-1"}`).expect(t, http.StatusNotFound, "not_found")
	p.post("/refunds/bulk", p.ingestKey, `{"refunds":[{"id":"r-2","currency":"EUR",`+`"user_id":"hush","lines":[]}]}`).expect(t, http.StatusUnprocessableEntity, "")
	p.post("/segment/v1/track", p.ingestKey, `{"event":"Signed Up","properties":{"plan":"hush"}}`).expect(t, http.StatusOK, "")

	found := p.rejections("", 9)
	var kinds []string
	for _, item := range found.items() {
		kinds = append(kinds, fmt.Sprint(item["kind"], " ", item["code"]))
		if item["key_id"] != id {
			t.Errorf("the key is %v", item["key_id"])
		}
	}
	slices.Sort(kinds)
	want := []string{
		"event required", "event unknown_product", "event unknown_product", "event user_id_required", "order required", "order unknown_product",
		"refund not_found", "refund required", "request malformed_json",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("the refusals are %q, want %q", kinds, want)
	}
	all, err := json.Marshal(found.object)
	if err != nil || strings.Contains(strings.ReplaceAll(string(all), `"hush":"(`, ""), "hush") {
		t.Errorf("something private is shown: %s", all)
	}
	first := p.get("/rejections?code=unknown_product&limit=3", p.apiKey("read")).items()
	if len(first) != 3 || !strings.Contains(fmt.Sprint(first), "map[id:e-1 properties:map[deep:(object) n:(number) plan:(string)] sku:BOOT type:view user_id:(string)]") {
		t.Errorf("those with an unknown product: %v", first)
	}

	sender := found.senders()
	if len(sender) != 1 || sender[0]["key_id"] != id || sender[0]["valid_at"] != nil || sender[0]["refused"] != 9.0 || !strings.HasPrefix(sender[0]["summary"].(string), "Nothing valid was received since ") {
		t.Errorf("the senders are %v", sender)
	}
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	platformtest.Eventually(t, time.Minute, "the record says that something valid came", func() bool {
		sender := p.get("/rejections?key="+id, p.apiKey("read")).senders()[0]
		return sender["valid_at"] != nil && strings.HasSuffix(sender["summary"].(string), "Valid items were received, too.")
	})
}

// TestRefusalsAreForMembers checks who may read refusals: nobody of another project, and no key that only sends.
func TestRefusalsAreForMembers(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/events", p.ingestKey, `{"type":"view","sku":"BOOT","user_id":"u"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.rejections("", 1)
	p.get("/rejections", "").expect(t, http.StatusUnauthorized, "credentials_required")
	for name, token := range map[string]string{"the key itself": p.ingestKey, "a viewer": p.auth.Token(authn.Viewer, bobID), "a guest": p.auth.Token(authn.User, bobID)} {
		if got := p.get("/rejections", token); got.status != http.StatusForbidden {
			t.Errorf("%s gets %d %v", name, got.status, got.object)
		}
	}
	p.exec(`INSERT INTO auth.projects (slug, name, time_zone, currency) VALUES ('other', 'Other', 'UTC', 'EUR')`)
	key := authn.NewKey()
	p.exec(`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes) SELECT $1, id, 'test', $2, 'hpa_test', '{read}' FROM auth.projects WHERE slug = 'other'`, uuid.New(), authn.HashKey(key))
	for _, query := range []string{"", "?key=" + p.keyID(p.ingestKey)} {
		if got := p.get("/rejections"+query, key); got.status != http.StatusOK || len(got.items()) != 0 || strings.Contains(fmt.Sprint(got.object), "unknown_product") {
			t.Errorf("another project sees %v", got.object)
		}
	}
}

// TestASenderOfGarbagePushesNobodyOut sends thousands of bad events with one key and two with another: those are still shown, also where
// the answer is short. All are counted.
func TestASenderOfGarbagePushesNobodyOut(t *testing.T) {
	t.Parallel()
	p := start(t)
	quiet := p.apiKey("ingest")
	for range 2 {
		p.post("/events", quiet, `{"type":"view","sku":"BOOT","user_id":"u"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	}
	p.rejections("", 2)
	garbage := bulk(slices.Repeat([]string{`{"type":7}`}, 1000)...)
	read := p.apiKey("read")
	loud := "?key=" + p.keyID(p.ingestKey)
	sent := 0
	platformtest.Eventually(t, time.Minute, "the share of the sender is used up", func() bool {
		p.post("/events/bulk", p.ingestKey, garbage).expect(t, http.StatusUnprocessableEntity, "")
		sent += 1000
		return len(p.get("/rejections?limit=1000&"+loud[1:], read).items()) == 200
	})
	platformtest.Eventually(t, time.Minute, "all are counted", func() bool {
		return p.get("/rejections"+loud, read).senders()[0]["refused"] == float64(sent)
	})
	if got := len(p.get("/rejections?limit=1000", read).items()); got != 202 {
		t.Errorf("%d refusals are kept, want 200 and 2", got)
	}
	of := map[any]int{}
	for _, item := range p.get("/rejections?limit=4", read).items() {
		of[item["key_id"]]++
	}
	if of[p.keyID(quiet)] != 2 {
		t.Errorf("a short answer has %v", of)
	}
}

// TestRefusalsWithoutRedis refuses as always while Redis is away, and says that the list cannot be read.
func TestRefusalsWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.StartServer(t)
	p := start(t, func(c *ingest.Config) { c.Redis = redis.Config() })
	read, bad := p.apiKey("read"), `{"type":"view","sku":"BOOT","user_id":"u"}`
	p.get("/rejections", read).expect(t, http.StatusOK, "")
	redis.Kill()
	p.get("/rejections", read).expect(t, http.StatusServiceUnavailable, "unavailable")
	p.post("/events", p.ingestKey, bad).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	redis.Restart()
	platformtest.Eventually(t, time.Minute, "refusals are kept again", func() bool {
		p.post("/events", p.ingestKey, bad).expect(t, http.StatusUnprocessableEntity, "validation_failed")
		return len(p.get("/rejections", read).items()) > 0
	})
}
