package host_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Plausible's two libraries, on a page of another origin, are told what they expect, and reports count what they send, of one visitor.
func TestPlausibleLibraries(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	pages := pagesOf(t, installSDKs(t))
	today := func() string { return time.Now().UTC().Format(time.DateOnly) }
	began := today()
	b := newTab(t, pages)
	b.open("/plausible.html?key=" + s.publicKey(pages) + "&api=" + url.QueryEscape(s.url) + "&utm_source=mail")
	b.until("window.loaded")
	b.value(`(track("pageview"), track("Sold", { props: { plan: "pro" }, revenue: { amount: 12.5, currency: "EUR" } }), 1)`)
	b.until(`window.statuses.join() === "202,202"`)
	b.value(`(old.trackPageview({}, { callback: () => { window.called++; } }), old.trackEvent("Signup", { props: { plan: "free" }, callback: () => { window.called++; } }), 1)`)
	b.until("window.called === 2")
	counts := s.counts()
	for name, want := range map[string]float64{"page": 2, "Sold": 1, "Signup": 1} {
		if counts[name] != want {
			t.Errorf("the reports have %v events %s, want %v", counts[name], name, want)
		}
	}
	totals := s.send(http.MethodGet, "/analytics/overview", s.admin, "")["totals"].(map[string]any)
	if totals["unique_users"] != 2.0 && today() == began { // and the user of the last event; visitors of the next day are others
		t.Errorf("the totals are %v", totals)
	}
	stored := map[string]map[string]any{}
	for _, item := range s.send(http.MethodGet, "/events", s.admin, "")["items"].([]any) {
		event := item.(map[string]any)
		properties, _ := event["properties"].(map[string]any)
		stored[event["type"].(string)] = properties
	}
	if p := stored["Sold"]; p["plan"] != "pro" || p["revenue"] != 12.5 || p["currency"] != "EUR" || p["domain"] != "shop.example" || p["utm_source"] != "mail" {
		t.Errorf("the sale has %v", p)
	}
	if p := stored["Signup"]; p["plan"] != "free" || p["domain"] != "shop.example" {
		t.Errorf("the sign-up has %v", p)
	}
}
