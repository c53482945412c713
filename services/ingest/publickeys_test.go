package ingest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

const shopOrigin = "https://shop.example"

// publicKey makes a public key of the shop's pages; settings are further assignments of columns.
func (p *platform) publicKey(settings ...string) string {
	p.t.Helper()
	key := authn.NewPublicKey()
	p.exec(`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes, kind, origins, drop_bots)
		VALUES ($1, 1, 'pages', $2, 'hpw_test', '{ingest}', 'public', $3, true)`, uuid.New(), authn.HashKey(key), []string{shopOrigin})
	for _, setting := range settings {
		p.exec(`UPDATE auth.api_keys SET `+setting+` WHERE key_hash = $1`, authn.HashKey(key))
	}
	return key
}

// page is an event that a page sends.
func page(id string) string {
	return fmt.Sprintf(`{"id":%q,"type":"page","anonymous_id":"visitor","ts":%q}`, id, ago(time.Minute))
}

// fromShop are the headers of a beacon of a page of the shop.
var fromShop = []string{"Content-Type", "text/plain;charset=UTF-8", "Origin", shopOrigin, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

// A page sends its key in the header, the query or the body, and reads what became of the request.
func TestBeacon(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.publicKey()
	events := `"events":[` + page("a") + `]`
	for name, send := range map[string]func() answer{
		"header": func() answer { return p.post("/events/beacon", key, `{`+events+`}`, fromShop...) },
		"query":  func() answer { return p.post("/events/beacon?key="+key, "", `{`+events+`}`, fromShop...) },
		"body":   func() answer { return p.post("/events/beacon", "", `{"key":"`+key+`",`+events+`}`, fromShop...) },
	} {
		a := send()
		a.expect(t, http.StatusAccepted, "")
		if a.number("taken") != 1 || a.header.Get("Access-Control-Allow-Origin") != shopOrigin || !strings.Contains(a.header.Get("Vary"), "Origin") {
			t.Errorf("key in the %s: %v %v", name, a.object, a.header)
		}
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 1 {
		t.Errorf("%d events, want the one that was sent three times", n)
	}
	p.post("/events/beacon", "", `{`+events+`}`, fromShop...).expect(t, http.StatusUnauthorized, "credentials_required")
	p.post("/events/beacon", "", `{"key":"`+authn.NewPublicKey()+`",`+events+`}`, fromShop...).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/events/beacon", key, `{`+events+`}`, "Content-Type", "text/csv").expect(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
	a := p.post("/events/beacon", key, `{"events":[{"type":"page"},`+page("b")+`]}`, fromShop...)
	a.expect(t, http.StatusAccepted, "")
	if got := a.problems(); a.number("taken") != 1 || !slices.Equal(got, []string{"0/user_id user_id_required"}) {
		t.Errorf("an event without a user: %v %v", a.object, got)
	}
}

// Only pages of the origins that a key names send with it, and secret keys are refused in all pages.
func TestOrigins(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := `{"events":[` + page("a") + `]}`
	for origin, code := range map[string]string{
		shopOrigin: "", "https://shop.example.evil.example": "origin_not_allowed", "http://shop.example": "origin_not_allowed", "null": "origin_not_allowed",
	} {
		a := p.post("/events/beacon", p.publicKey(), body, "Origin", origin, "Content-Type", "text/plain")
		status := http.StatusAccepted
		if code != "" {
			status = http.StatusForbidden
		}
		a.expect(t, status, code)
		if a.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("a page of %s cannot read why: %v", origin, a.header)
		}
	}
	p.post("/events/beacon", p.publicKey(`origins = '{*}'`), body, "Origin", "null").expect(t, http.StatusAccepted, "")
	p.post("/events/beacon", p.publicKey(), body).expect(t, http.StatusAccepted, "") // no page

	refused := p.post("/events", p.ingestKey, view(""), "Origin", shopOrigin)
	refused.expect(t, http.StatusForbidden, "secret_key_in_browser")
	if refused.header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(refused.string("detail"), "hpw_") {
		t.Errorf("got %v %v", refused.object, refused.header)
	}
	p.post("/segment/v1/track", "", `{"writeKey":"`+p.ingestKey+`","userId":"u","event":"e"}`, "Origin", shopOrigin).expect(t, http.StatusForbidden, "secret_key_in_browser")
	p.post("/segment/v1/track", "", `{"writeKey":"`+p.ingestKey+`","userId":"u","event":"e"}`).expect(t, http.StatusOK, "")
}

// Browsers are told without credentials what pages may send, and only where they may.
func TestPreflights(t *testing.T) {
	t.Parallel()
	p := start(t)
	for path, shared := range map[string]bool{"/events/beacon": true, "/segment/v1/t": true, "/events": false, "/events/bulk": false, "/orders": false, "/users/u": false} {
		a := p.send(http.MethodOptions, path, "", nil, "Origin", shopOrigin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		allowed := a.header.Get("Access-Control-Allow-Headers")
		switch {
		case !shared && (a.status != http.StatusMethodNotAllowed || allowed != ""):
			t.Errorf("%s: %d %v", path, a.status, a.header)
		case shared && (a.status != http.StatusNoContent || !strings.Contains(allowed, "Authorization, Content-Type") || a.header.Get("Access-Control-Allow-Origin") != shopOrigin || a.header.Get("Access-Control-Max-Age") != "7200"):
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

// No answer to a page tells what is stored, and what it sends takes nobody else's place.
func TestPagesLearnNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.publicKey()
	at := ago(time.Hour)
	item := func(id, sku string) string {
		return fmt.Sprintf(`{"id":%q,"type":"view","sku":%q,"anonymous_id":"visitor","ts":%q}`, id, sku, at)
	}
	id := uuid.NewString()
	p.post("/events", p.ingestKey, item(id, "SHOE")).expect(t, http.StatusAccepted, "")
	var answers []string
	for _, body := range []string{item(id, "SHOE"), item(id, "SHOE"), item(id, "HAT"), item(uuid.NewString(), "NO SUCH SKU")} {
		a := p.post("/events/beacon", key, `{"events":[`+body+`]}`, fromShop...)
		a.expect(t, http.StatusAccepted, "")
		answers = append(answers, fmt.Sprint(a.object))
	}
	if slices.Compact(slices.Clone(answers))[0] != answers[0] || len(slices.Compact(answers)) != 1 {
		t.Errorf("what is new, repeated, in conflict and unknown is told apart: %v", answers)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 2 {
		t.Errorf("%d events, want that of the server and one of the page", n)
	}
	order := `{"messageId":"m","userId":"u","event":"%s","properties":{"order_id":"A-1","currency":"EUR","products":[{"sku":"SHOE","price":1,"quantity":1}]}}`
	p.segment("track", fmt.Sprintf(order, "Order Completed"))
	for _, event := range []string{"Order Completed", "Order Refunded"} {
		a := p.post("/segment/v1/t", key, fmt.Sprintf(order, event), fromShop...)
		a.expect(t, http.StatusOK, "")
		if a.header.Get("Events-Accepted") != "" {
			t.Errorf("%s: the page is told what became of it: %v", event, a.header)
		}
	}
	if n := p.count(`SELECT (SELECT count(*) FROM ingest.orders) * 10 + (SELECT count(*) FROM ingest.refunds)`); n != 10 {
		t.Errorf("orders and refunds: %d, want the order of the server alone", n)
	}
}

// The settings of a key decide what becomes of its events.
func TestPublicKeySettings(t *testing.T) {
	t.Parallel()
	p := start(t)
	send := func(key, event, agent string) answer {
		a := p.post("/events/beacon", key, `{"events":[`+event+`]}`, "Content-Type", "text/plain", "Origin", shopOrigin, "User-Agent", agent)
		a.expect(t, http.StatusAccepted, "")
		return a
	}
	const person, robot = "Mozilla/5.0 Firefox/140.0", "Mozilla/5.0 (compatible; Googlebot/2.1)"
	named := func(name, rest string) string { return `{"type":"` + name + `","anonymous_id":"visitor"` + rest + `}` }
	if a := send(p.publicKey(), named("bot", ""), robot); a.string("dropped") != "bot" || a.number("taken") != 0 {
		t.Errorf("a bot is told %v", a.object)
	}
	send(p.publicKey(`drop_bots = false`), named("kept bot", ""), robot)
	send(p.publicKey(`default_sku = 'SHOE'`), named("default", ""), person)
	send(p.publicKey(`default_sku = 'SHOE'`), named("own", `,"sku":"HAT"`), person)
	send(p.publicKey(), named("none", ""), person)
	send(p.publicKey(), named("refused", `,"sku":"NEW"`), person)
	send(p.publicKey(`unknown_products = 'create'`), named("created", `,"sku":"NEW"`), person)
	got := map[string]string{}
	for _, row := range p.stored(`SELECT n.name, coalesce(c.sku, '') AS sku FROM ingest.events e
		JOIN ingest.names n ON n.project = e.project AND n.n = e.name LEFT JOIN catalog.products c ON c.n = e.product`) {
		got[row["name"].(string)] = row["sku"].(string)
	}
	want := map[string]string{"kept bot": "", "default": "SHOE", "own": "HAT", "none": "", "created": "NEW"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events with their products: %v, want %v", got, want)
	}
	if !strings.Contains(p.metrics(), `hpa_ingest_events_rejected_total{code="bot"} 1`) {
		t.Error("the dropped event is not counted")
	}
}

// A visitor uses up no more of the quota of a key than is theirs, and one key nothing of another.
func TestQuotasOfPages(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) {
		cfg.VisitorRateLimit, cfg.RateWindow, cfg.HTTP.TrustedProxyHops = 3, time.Hour, 1
	})
	key, small := p.publicKey(), p.publicKey(`events_per_minute = 5`)
	send := func(key, address string, n int) answer {
		body := `{"events":[` + strings.TrimSuffix(strings.Repeat(page("x")+",", n), ",") + `]}`
		return p.post("/events/beacon", key, body, append(slices.Clone(fromShop), "X-Forwarded-For", address)...)
	}
	send(key, "198.51.100.1", 3).expect(t, http.StatusAccepted, "")
	send(key, "198.51.100.1", 1).expect(t, http.StatusTooManyRequests, "rate_limited")
	send(key, "198.51.100.2", 1).expect(t, http.StatusAccepted, "")
	send(small, "198.51.100.1", 3).expect(t, http.StatusAccepted, "")
	for range 5 { // who has used up their part takes nothing of the key's
		send(small, "198.51.100.1", 1).expect(t, http.StatusTooManyRequests, "rate_limited")
	}
	send(small, "198.51.100.2", 2).expect(t, http.StatusAccepted, "")
	send(small, "198.51.100.3", 3).expect(t, http.StatusTooManyRequests, "rate_limited")
	send(key, "198.51.100.3", 3).expect(t, http.StatusAccepted, "")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
}
