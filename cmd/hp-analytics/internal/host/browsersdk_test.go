package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// road is a way to a platform that can be closed, and that loses the first answer of each kind of request after the platform has stored
// what it holds.
type road struct {
	t       *testing.T
	address string
	proxy   http.Handler
	server  *http.Server
	lost    atomic.Int64
	seen    atomic.Int64 // requests that arrived
}

func newRoad(t *testing.T, platform string) *road {
	t.Helper()
	target, err := url.Parse(platform)
	if err != nil {
		t.Fatal(err)
	}
	r := &road{t: t, address: "127.0.0.1:0"}
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Host = request.In.Host // as gateways do
		request.SetXForwarded()
	}}
	proxy.ModifyResponse = func(answer *http.Response) error {
		if answer.Request.Method == http.MethodPost && r.seen.Add(1)%3 == 1 {
			r.lost.Add(1)
			return errors.New("the answer is lost")
		}
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	r.proxy = proxy
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *road) open() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.address = listener.Addr().String()
	r.server = &http.Server{Handler: r.proxy, ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(listener) }(r.server)
}

func (r *road) close() { _ = r.server.Close() }

func (r *road) url() string { return "http://" + r.address }

// publicKey makes a public key for the pages of an origin. It keeps what automated browsers send.
func (s shop) publicKey(origin string) string {
	s.t.Helper()
	made := s.send(http.MethodPost, "/auth/api-keys", s.admin, fmt.Sprintf(
		`{"name":"pages","kind":"public","scopes":["ingest"],"public":{"origins":[%q],"drop_bots":false}}`, origin))
	return made["key"].(string)
}

// counts returns how many events of each name the reports have, with everything that is stored.
func (s shop) counts() map[string]float64 {
	s.t.Helper()
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"Last","user_id":"last"}`)
	counts := map[string]float64{}
	for _, item := range s.send(http.MethodGet, "/analytics/events?limit=100", s.admin, "")["items"].([]any) {
		counts[item.(map[string]any)["type"].(string)] = item.(map[string]any)["events"].(float64)
	}
	return counts
}

// reports waits until the reports have a number of events of a name.
func (s shop) reports(b *tab, name string, want float64) {
	s.t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		counts := s.counts()
		if counts[name] >= want {
			return
		}
		select {
		case <-again.C:
		case <-b.ctx.Done():
			s.t.Fatalf("the reports have %v, want %v events %s; problems of the page: %q", counts, want, name, b.problems)
		}
	}
}

// pagesOf serves a folder as the pages of another origin.
func pagesOf(t *testing.T, dir string) string {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// The libraries of Segment, RudderStack and PostHog for browsers, on a page of another origin, send everything once: when the server goes away
// and comes back, and when answers are lost.
func TestBrowserLibraries(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	pages := pagesOf(t, installSDKs(t))
	key := s.publicKey(pages)
	for _, library := range []string{"segment", "rudder", "posthog"} {
		way := newRoad(t, s.url)
		b := newTab(t, pages)
		b.open("/" + library + ".html?key=" + key + "&api=" + url.QueryEscape(way.url()))
		b.until("window.loaded")
		before, duplicates := s.counts(), s.duplicates()
		name := func(event string) string { return library + " " + event }
		b.value(fmt.Sprintf(`(client.page("Home"), client.track(%q, { n: 1 }), client.identify("ada-%s", { plan: "pro" }), 1)`, name("up"), library))
		s.reports(b, name("up"), 1)
		s.reports(b, "identify", before["identify"]+1)
		s.reports(b, "page", before["page"]+1)

		way.close()
		b.value(fmt.Sprintf(`([1, 2, 3].forEach((n) => client.track(%q, { n })), 1)`, name("down")))
		b.until("window.failures > 0")
		way.open()
		s.reports(b, name("down"), 3)
		b.value(fmt.Sprintf(`(client.track(%q), 1)`, name("after")))
		s.reports(b, name("after"), 1)
		if way.lost.Load() == 0 {
			t.Errorf("%s: no answer was lost", library)
		}
		for repeated := s.duplicates() - duplicates; repeated < float64(way.lost.Load()); repeated = s.duplicates() - duplicates {
			if b.ctx.Err() != nil {
				t.Fatalf("%s: %v of %d messages whose answer was lost arrived again", library, repeated, way.lost.Load())
			}
			s.counts()
		}
		after := s.counts()
		for event, want := range map[string]float64{
			name("up"): 1, name("down"): 3, name("after"): 1, "identify": before["identify"] + 1, "page": before["page"] + 1,
		} {
			if after[event] != want {
				t.Errorf("%s: the reports have %v events %s, want %v", library, after[event], event, want)
			}
		}
		if users := s.send(http.MethodGet, "/events?user_id=ada-"+library, s.admin, "")["items"].([]any); len(users) < 4 {
			t.Errorf("%s: the user has %d events after identify", library, len(users))
		}
	}
}

// RudderStack's library sends beacons if it is told to, which have their key in the query and arrive also when the page is left at once.
func TestRudderBeacons(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	pages := pagesOf(t, installSDKs(t))
	b := newTab(t, pages)
	b.open("/rudder.html?beacon&key=" + s.publicKey(pages) + "&api=" + url.QueryEscape(s.url))
	b.until("window.loaded")
	b.value(`(client.page("Home"), client.track("by beacon", { n: 1 }), client.track("by beacon", { n: 2 }), 1)`)
	b.open("/posthog.html?left")
	s.reports(b, "by beacon", 2)
	s.reports(b, "page", 1)
	counts := s.counts()
	if counts["by beacon"] != 2 || counts["page"] != 1 {
		t.Errorf("the reports have %v", counts)
	}
	if status, metrics := s.do(http.MethodGet, "/metrics", "", "", ""); status != http.StatusOK || !strings.Contains(string(metrics), `route="/segment/beacon/v1/batch"`) {
		t.Error("nothing was sent by beacon")
	}
}

// duplicates returns how many events arrived that were stored before. A message whose answer is lost arrives again.
func (s shop) duplicates() (n float64) {
	s.t.Helper()
	status, metrics := s.do(http.MethodGet, "/metrics", "", "", "")
	if status != http.StatusOK {
		s.t.Fatalf("GET /metrics: %d %s", status, metrics)
	}
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "hpa_ingest_events_total{") && strings.Contains(line, `status="duplicate"`) {
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " "):], &n); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return n
}

// A page may send by beacon when it is left, and old libraries send their key in the body only.
func TestSegmentKeysInTheBody(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	key := s.publicKey("https://shop.example")
	send := func(path, body string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/plain")
		request.Header.Set("Origin", "https://shop.example")
		answer, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != "https://shop.example" {
			t.Errorf("%s: the page of the shop may not read the answer, but %q", path, got)
		}
		return answer.StatusCode
	}
	message := `{"type":"track","event":"%s","anonymousId":"visitor","messageId":"%s","timestamp":"` + time.Now().UTC().Format(time.RFC3339) + `"%s}`
	withKey := `,"writeKey":"` + key + `"`
	for path, body := range map[string]string{
		"/segment/v1/t":                            fmt.Sprintf(message, "short", "1", withKey),
		"/segment/v1/track":                        fmt.Sprintf(message, "long", "2", withKey),
		"/segment/v1/b":                            `{"batch":[` + fmt.Sprintf(message, "batch", "3", "") + `]` + withKey + `}`,
		"/segment/v1/batch":                        `{"batch":[` + fmt.Sprintf(message, "in the message", "4", withKey) + `]}`,
		"/segment/beacon/v1/batch?writeKey=" + key: `{"batch":[` + fmt.Sprintf(message, "beacon", "5", "") + `]}`,
		"/segment/v1/m":                            `{"series":[]}`,
	} {
		if status := send(path, body); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	counts := s.counts()
	for _, name := range []string{"short", "long", "batch", "in the message", "beacon"} {
		if counts[name] != 1 {
			t.Errorf("%v events %q, want 1", counts[name], name)
		}
	}
	other := strings.Replace(key, key[10:14], "aaaa", 1)
	if status := send("/segment/v1/t", strings.ReplaceAll(fmt.Sprintf(message, "x", "6", withKey), key, other)); status != http.StatusUnauthorized {
		t.Errorf("another key: %d", status)
	}
	if status := send("/segment/v1/t", fmt.Sprintf(message, "x", "7", "")); status != http.StatusUnauthorized {
		t.Errorf("no key: %d", status)
	}
}
