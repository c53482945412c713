package host_test

import (
	"context"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/web/tracker"
)

// shopPage is a page as docs/connect/browser.md shows it. The lines before the script keep what is called before it has come.
var shopPage = template.Must(template.New("page").Parse(`<!doctype html>
<meta charset="utf-8">
<title>Shop</title>
<script>
  window.hp ??= new Proxy([], { get: (calls, name) => calls[name] ?? ((...values) => { calls.push([name, ...values]); }) });
  hp.track("early", { path: location.pathname });
  addEventListener("pageshow", (event) => { window.restored = event.persisted; });
</script>
<script defer src="{{.Script}}" data-key="{{.Key}}" data-ids="{{.IDs}}"></script>
<button data-hp-event="add_to_cart" data-hp-sku="TEA 1/2" data-hp-color="green">Add</button>
<a href="https://other.example/deals?private=1" onclick="event.preventDefault()">Deals</a>
`))

// pages are those of a shop, which has another origin than the platform.
type pages struct {
	Script, Key, IDs string
}

// show serves the pages at every path.
func (p *pages) show(t *testing.T) (origin string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := shopPage.Execute(w, p); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// asPerson hides that a program drives the browser, on pages that are loaded from now on, and runs a script before theirs.
func (b *tab) asPerson(script string) {
	b.t.Helper()
	script = `Object.defineProperty(Navigator.prototype, "webdriver", { get: () => false }); ` + script
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// another opens another tab of the same browser.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	b.t.Cleanup(closeTab)
	other := &tab{t: b.t, ctx: ctx, url: b.url}
	other.asPerson("")
	return other
}

// queued is how many events wait on the device.
const queued = `Object.keys(localStorage).filter((name) => name.startsWith("hp:")).length`

// The tracker counts what a visitor does once, whatever happens to the page, to the network and to the server.
func TestTracker(t *testing.T) {
	t.Parallel()
	database, redis := dbtest.New(t), string(redistest.New(t).URL)
	listener := listen(t, "127.0.0.1:0")
	kill := serveOn(t, listener, database, redis)
	t.Cleanup(func() { kill() })
	s := newShop(&platform{t: t, url: "http://" + listener.Addr().String(), client: http.DefaultClient, database: database})
	s.create("TEA 1/2")
	way := newRoad(t, s.url)
	content := &pages{Script: way.url() + "/hp.js", IDs: "first-party"}
	shopURL := content.show(t)
	content.Key = s.publicKey(shopURL)
	b := newTab(t, shopURL)
	b.asPerson("")
	want := map[string]float64{}
	expect := func(events ...string) {
		t.Helper()
		for _, name := range events {
			want[name]++
		}
		b.until(queued + " === 0") // all is confirmed
		again := time.NewTicker(200 * time.Millisecond)
		defer again.Stop()
		for {
			got := s.counts()
			delete(got, "Last")
			diff := cmp.Diff(want, got)
			if diff == "" {
				return
			}
			select {
			case <-again.C: // reports are cached for a moment
			case <-b.ctx.Done():
				t.Fatalf("the events (-want +got):\n%s", diff)
			}
		}
	}
	load := func(path string) {
		t.Helper()
		b.open(path)
		b.until("window.hp && !Array.isArray(hp)")
	}

	load("/tea?utm_source=letter&private=1")
	expect("early", "page")
	b.value("(window.before = true, location.reload(), 1)")
	b.until("!window.before && window.hp && !Array.isArray(hp)")
	expect("early", "page")

	// What is clicked, and what a line of code says.
	b.value(`(document.querySelector("button").click(), document.querySelector("a").click(), hp.view("TEA 1/2"), hp.identify("ada"), hp.track("Signed Up", { plan: "pro" }), 1)`)
	expect("add_to_cart", "outbound_link", "view", "identify", "Signed Up")

	// A page that shows others in its place.
	b.value(`(history.pushState(null, "", "/cart"), history.replaceState(null, "", "/cart?step=2"), 1)`)
	b.value("(history.back(), 1)")
	b.until(`location.pathname === "/tea"`)
	expect("page", "page")

	// The back/forward cache: the page is seen again, and its script is not loaded again.
	load("/second")
	expect("early", "page")
	b.value("(history.back(), 1)")
	b.until(`location.pathname === "/tea"`)
	b.until("window.restored")
	expect("page")

	// The server goes away, the visitor goes on to another page, and the server comes back.
	way.close()
	kill()
	b.value(`([1, 2, 3].forEach((n) => hp.track("away", { n })), 1)`)
	load("/third")
	b.until(queued + " === 5")
	kill = serveOn(t, listen(t, listener.Addr().String()), database, redis)
	way.open()
	expect("away", "away", "away", "early", "page")

	// The visitor has no network for a while.
	b.offline(true)
	b.value(`(hp.track("offline"), 1)`)
	b.until(queued + " === 1")
	b.offline(false)
	expect("offline")

	// Two tabs send what waits.
	other := b.another()
	other.open("/fourth")
	other.until("window.hp && !Array.isArray(hp)")
	expect("early", "page")
	way.close()
	b.value(`(hp.track("first tab"), 1)`)
	other.value(`(hp.track("second tab"), 1)`)
	b.until(queued + " === 2")
	way.open()
	b.value(`(dispatchEvent(new Event("online")), 1)`)
	other.value(`(dispatchEvent(new Event("online")), 1)`)
	expect("first tab", "second tab")

	if way.lost.Load() == 0 {
		t.Error("no answer was lost")
	}
	visitors, views := map[any]bool{}, 0
	for _, item := range s.send(http.MethodGet, "/events?type=page", s.admin, "")["items"].([]any) {
		event := item.(map[string]any)
		if id := event["anonymous_id"]; id != nil { // events after identify are the user's
			visitors[id] = true
		}
		if p := event["properties"].(map[string]any); p["url"] == shopURL+"/tea" && p["utm_source"] == "letter" {
			views++
		}
	}
	if len(visitors) != 1 || views == 0 {
		t.Errorf("the visitors are %v, with %d views of the campaign's page without its query", visitors, views)
	}
	carts := s.send(http.MethodGet, "/events?type=add_to_cart", s.admin, "")["items"].([]any)
	if color := carts[0].(map[string]any)["properties"].(map[string]any)["color"]; color != "green" {
		t.Errorf("the colour is %v", color)
	}
}

// A page works as without the tracker when a visitor is not counted, or a blocker keeps the script or its requests out.
func TestTrackerKeepsOut(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	way := newRoad(t, s.url)
	content := &pages{Script: way.url() + "/hp.js"}
	shopURL := content.show(t)
	content.Key = s.publicKey(shopURL)
	b := newTab(t, shopURL)
	const calls = `(hp.track("never"), hp.view("TEA 1/2"), hp.identify("ada"), hp.page(), hp.reset(), document.querySelector("button").click(), 1)`
	silent := func(why string) {
		t.Helper()
		b.value(calls)
		if got := b.value("Object.keys(localStorage).length"); got != "0" {
			t.Errorf("%s: %s items are stored", why, got)
		}
		b.open("/next") // what is left behind would be sent now
		if got := way.seen.Load(); got != 0 {
			t.Errorf("%s: %d requests", why, got)
		}
	}
	const scriptRan = "window.hp && !Array.isArray(hp)"

	b.open("/driven") // navigator.webdriver is true
	b.until(scriptRan)
	silent("a driven browser")

	for _, signal := range []string{`"globalPrivacyControl", { configurable: true, get: () => true }`, `"doNotTrack", { configurable: true, get: () => "1" }`} {
		b = newTab(t, shopURL)
		b.asPerson("Object.defineProperty(Navigator.prototype, " + signal + ");")
		b.open("/signal")
		b.until(scriptRan)
		silent(signal)
	}

	b = newTab(t, shopURL)
	b.asPerson("")
	script := content.Script
	content.Script = "http://127.0.0.1:1/hp.js" // nothing listens there
	b.open("/without-script")
	b.value(calls)
	if got := b.value("hp.length"); got != "6" { // early, and five calls
		t.Errorf("%s calls wait for the script", got)
	}
	content.Script = script
	b.do(network.Enable(), network.SetBlockedURLs().WithURLPatterns([]*network.BlockPattern{{URLPattern: "*://*:*/events/beacon", Block: true}}))
	b.open("/without-requests")
	b.until(scriptRan)
	b.value(`(Array.from({ length: 60 }, (_, n) => hp.track("blocked", { n })), 1)`)
	if got := b.value(queued); got != "50" {
		t.Errorf("%s events wait, want the 50 newest", got)
	}
	if newest := b.value(`Object.entries(localStorage).sort().at(-1)[1]`); !strings.Contains(newest, "blocked") {
		t.Errorf("the newest is %s", newest)
	}
	if got := s.counts(); len(got) != 1 {
		t.Errorf("the events are %v", got)
	}
}

// What has waited for a network is sent in requests that the server and the browser take, however much it is, and all of it is counted.
func TestTrackerSendsWhatFits(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	way := newRoad(t, s.url)
	content := &pages{Script: way.url() + "/hp.js", IDs: "first-party"}
	shopURL := content.show(t)
	content.Key = s.publicKey(shopURL)
	b := newTab(t, shopURL)
	b.asPerson("")
	b.open("/tea")
	b.until("window.hp && !Array.isArray(hp)")
	b.until(queued + " === 0")
	way.close()
	b.value(`(Array.from({ length: 50 }, (_, n) => hp.track("long", { n, text: "ж".repeat(2000) })), 1)`) // 200 KB, in 100,000 letters
	b.until(queued + " === 50")
	way.open()
	b.value(`(dispatchEvent(new Event("online")), 1)`)
	b.until(queued + " === 0")
	s.reports(b, "long", 50)
}

// countCalls counts the requests of a page, and their answers.
const countCalls = `window.calls = window.answers = 0;
const send = window.fetch;
window.fetch = async (...request) => { calls++; const answer = await send(...request); answers++; return answer; };`

// The tracker sends nothing before the time that the server asks for, though the network or the visitor comes back.
func TestTrackerWaitsAsAsked(t *testing.T) {
	t.Parallel()
	r := chi.NewRouter()
	tracker.Mount(r)
	r.Post("/events/beacon", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	busy := httptest.NewServer(r)
	t.Cleanup(busy.Close)
	b := newTab(t, (&pages{Script: busy.URL + "/hp.js", Key: "hpw_x"}).show(t))
	b.asPerson(countCalls)
	b.open("/tea")
	b.until("window.answers === 1")
	b.value(`(dispatchEvent(new Event("online")), document.dispatchEvent(new Event("visibilitychange", { bubbles: true })), 1)`)
	if calls := b.value("calls"); calls != "1" {
		t.Errorf("%s requests, want 1", calls)
	}
}
