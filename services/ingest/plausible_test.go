package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// A page with Plausible's script sends views and events. Its visitors are told apart for a day, and neither their address nor their browser is
// stored.
func TestPlausible(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) { cfg.HTTP.TrustedProxyHops = 1 })
	today := func() string { return time.Now().UTC().Format(time.DateOnly) }
	began := today()
	path := "/plausible/" + p.publicKey() + "/api/event"
	const firefox, other = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1"
	send := func(body, address, browser string) answer {
		return p.post(path, "", body, "Content-Type", "text/plain", "Origin", shopOrigin, "X-Forwarded-For", address, "User-Agent", browser)
	}
	view := `{"n":"pageview","u":"https://shop.example/tea?utm_source=mail","d":"shop.example","r":null}`
	for _, visitor := range [][2]string{{"198.51.100.7", firefox}, {"198.51.100.7", firefox}, {"198.51.100.7", other}, {"198.51.100.8", firefox}} {
		a := send(view, visitor[0], visitor[1])
		a.expect(t, http.StatusAccepted, "")
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain") || a.header.Get("Access-Control-Allow-Origin") != shopOrigin {
			t.Errorf("the answer is %s %v", got, a.header)
		}
	}
	send(`{"n":"Signup","u":"https://shop.example/","p":{"plan":"pro"},"$":{"amount":12.5,"currency":"EUR"}}`, "198.51.100.7", firefox).expect(t, http.StatusAccepted, "")
	if n := p.count(`SELECT count(*) FROM ingest.events`); n != 5 {
		t.Errorf("%d events are stored, want 5", n)
	}
	if n := p.count(`SELECT count(DISTINCT user_n) FROM ingest.events`); n != 3 && today() == began { // visitors of the next day are others
		t.Errorf("%d visitors, want 3", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events WHERE properties::jsonb @> '{"url":"https://shop.example/","domain":"shop.example"}' OR properties::jsonb @> '{"plan":"pro","revenue":12.5,"currency":"EUR"}'`); n != 1 {
		t.Errorf("%d events have the properties of the sign-up", n)
	}
	if n := p.count(`SELECT count(*) FROM ingest.events e JOIN ingest.users u ON u.n = e.user_n WHERE u::text LIKE '%198.51%' OR e::text LIKE '%198.51%' OR e::text LIKE '%Firefox%'`); n != 0 {
		t.Error("an address or a browser is stored")
	}
	dropped := send(view, "198.51.100.9", "Googlebot/2.1 (+http://www.google.com/bot.html)")
	dropped.expect(t, http.StatusAccepted, "")
	if dropped.header.Get("X-Plausible-Dropped") != "1" || p.count(`SELECT count(*) FROM ingest.events`) != 5 {
		t.Error("a bot is counted")
	}
	send(`{"u":"https://shop.example/"}`, "198.51.100.7", firefox).expect(t, http.StatusAccepted, "") // without a name: refused, and not told to pages
	p.rejections("", 1)
	send(`{"n":`, "198.51.100.7", firefox).expect(t, http.StatusBadRequest, "malformed_json")
	p.post("/plausible/"+authn.NewPublicKey()+"/api/event", "", view, fromShop...).expect(t, http.StatusUnauthorized, "invalid_api_key")
	p.post("/plausible/"+p.ingestKey+"/api/event", "", view, fromShop...).expect(t, http.StatusForbidden, "secret_key_in_browser")
	p.post("/plausible/"+p.ingestKey+"/api/event", "", view).expect(t, http.StatusForbidden, "forbidden") // nor in the address of a server
}
