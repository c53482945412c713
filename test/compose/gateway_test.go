package compose_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is a complete answer of the gateway.
type answer struct {
	status int
	header http.Header
	body   string
}

// direct neither decompresses bodies nor follows redirects.
var direct = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

func (s stack) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	return s.send(t, http.MethodGet, path, nil, headers...)
}

// send sends a request. headers alternates names and values.
func (s stack) send(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	a, err := s.try(t, method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is like send, but returns the error of a connection, as during a restart of the gateway.
func (s stack) try(t *testing.T, method, path string, body []byte, headers ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := direct.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(content)}, err
}

// wantProblem checks that an answer is a complete problem document.
func (a answer) wantProblem(t *testing.T, status int, code string) {
	t.Helper()
	var problem struct {
		Type   string
		Title  string
		Status int
		Code   string
	}
	err := json.Unmarshal([]byte(a.body), &problem)
	if err != nil || a.status != status || problem.Status != status || problem.Code != code || problem.Title == "" ||
		!strings.HasSuffix(problem.Type, "/"+code) || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("want a problem %d %s, got %d %s %s (%v)", status, code, a.status, a.header.Get("Content-Type"), a.body, err)
	}
}

// routes checks that the first segment of a normalised path selects the service, and that no path leads to /metrics.
func (s stack) routes(t *testing.T) {
	for path, want := range map[string]int{ // without a token
		"/health":                     200,
		"/ready":                      200,
		"/docs":                       200,
		"/":                           200,
		"/app":                        200,
		"/app/products":               200,
		"/app/assets/nothing":         404,
		"/apple":                      404,
		"/openapi.yaml":               200,
		"/hp.js":                      200,
		"/auth/.well-known/jwks.json": 200,
		"/auth/me":                    401,
		"/products":                   200,
		"/events/batches/0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57": 401,
		"/analytics/products/top":                              401,
		"/purchases":                                           405,
		"/metrics":                                             404,
		"//metrics":                                            404,
		"/auth/../metrics":                                     404,
		"/auth/..%2fmetrics":                                   404,
		"/metrics/..%2fauth":                                   404,
		"/authors":                                             404,
		"/_gateway/internal":                                   404,
	} {
		a := s.get(t, path)
		if a.status != want {
			t.Errorf("GET %s: %d, not %d: %s", path, a.status, want, a.body)
		}
		if want >= 400 && a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: an error of type %s", path, a.header.Get("Content-Type"))
		}
	}
	s.get(t, "/metrics").wantProblem(t, 404, "no_such_path")
	s.send(t, http.MethodTrace, "/auth/me", nil).wantProblem(t, 405, "method_not_allowed")
	s.get(t, "/auth/me", "X-Long", strings.Repeat("a", 40_000)).wantProblem(t, 400, "malformed")
}

// headers checks that each security header is set once, on answers of services and of the gateway, and that a request keeps
// its id.
func (s stack) headers(t *testing.T) {
	for _, path := range []string{"/auth/me", "/docs", "/nothing", "/health"} {
		a := s.get(t, path, "X-Request-Id", "of-the-client")
		for _, name := range []string{"X-Request-Id", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Content-Security-Policy"} {
			if values := a.header.Values(name); len(values) != 1 {
				t.Errorf("GET %s: %s is %q", path, name, values)
			}
		}
		if id := a.header.Get("X-Request-Id"); id != "of-the-client" {
			t.Errorf("GET %s: request id %q", path, id)
		}
		if server := a.header.Get("Server"); strings.Contains(server, "/") {
			t.Errorf("GET %s: tells its version: %q", path, server)
		}
		if id := s.get(t, path, "X-Request-Id", "not sane").header.Get("X-Request-Id"); id == "" || id == "not sane" {
			t.Errorf("GET %s: request id %q for one that is not sane", path, id)
		}
	}
	shared := s.get(t, "/app/shared?embed=1").header
	if got := shared.Values("X-Frame-Options"); len(got) > 0 || !strings.HasSuffix(shared.Get("Content-Security-Policy"), "frame-ancestors *") {
		t.Errorf("a shared report cannot be embedded: %q, %s", got, shared.Get("Content-Security-Policy"))
	}
	if policy := s.get(t, "/docs").header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") {
		t.Errorf("the page /docs has the policy %q, and not its own", policy)
	}
}

// compression checks that large answers are compressed for clients that accept it, and that the ETag of a compressed answer works
// in If-Match.
func (s stack) compression(t *testing.T) {
	plain, packed := s.get(t, "/openapi.yaml"), s.get(t, "/openapi.yaml", "Accept-Encoding", "gzip")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body)*3 > len(plain.body) {
		t.Errorf("%d bytes became %d (%s)", len(plain.body), len(packed.body), packed.header.Get("Content-Encoding"))
	}
	if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") == "" {
		t.Errorf("without Accept-Encoding: %v", plain.header)
	}
	if small := s.get(t, "/health", "Accept-Encoding", "gzip"); small.header.Get("Content-Encoding") != "" {
		t.Error("16 bytes were compressed")
	}

	admin := s.login(t)
	path := admin.largeProduct(t)
	read := admin.send(t, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
	tag := read.header.Get("ETag")
	if plain := admin.send(t, http.MethodGet, path, nil).header.Get("ETag"); read.header.Get("Content-Encoding") != "gzip" || tag == "" || tag == plain {
		t.Fatalf("a product has the ETag %q, and %q when it is compressed (%s)", plain, tag, read.header.Get("Content-Encoding"))
	}
	change := []byte(`{"name":"changed"}`)
	if a := admin.send(t, http.MethodPatch, path, change, "If-Match", tag, "Content-Type", "application/merge-patch+json"); a.status != 200 {
		t.Errorf("PATCH with If-Match %s: %d %s", tag, a.status, a.body)
	}
	if a := admin.send(t, http.MethodPatch, path, change, "If-Match", tag, "Content-Type", "application/merge-patch+json"); a.status != 412 {
		t.Errorf("PATCH with an old If-Match: %d %s", a.status, a.body)
	}
}

// bodyLimits checks the limits: 5 MiB for bulk requests of events, 64 KiB elsewhere.
func (s stack) bodyLimits(t *testing.T) {
	const limit = 5 << 20
	s.send(t, http.MethodPost, "/events/bulk", make([]byte, limit+1)).wantProblem(t, 413, "body_too_large")
	s.send(t, http.MethodPost, "/auth/me", make([]byte, 65<<10)).wantProblem(t, 413, "body_too_large")
	if a := s.send(t, http.MethodPost, "/events/bulk", make([]byte, limit)); a.status != 401 {
		t.Errorf("5 MiB without a token: %d, not 401: %s", a.status, a.body)
	}
}

// uploads checks that bodies which do not arrive take the place of a bounded number of others of the same client, and that
// small requests are served beside them.
func (s stack) uploads(t *testing.T) {
	const perClient = 12 // client_uploads in nginx.conf
	hold := func() {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "POST /events/bulk HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n["); err != nil {
			t.Fatal(err)
		}
	}
	for range perClient {
		hold()
	}
	// An upload that overtakes one of them takes its place, and the gateway refuses the one that comes last. So another one is sent for
	// it, and twice as many have to suffice. They end after client_body_timeout, 15 s.
	for more := 0; ; more++ {
		a := s.send(t, http.MethodPost, "/events/bulk", make([]byte, 1_000_000))
		if a.status == http.StatusTooManyRequests {
			a.wantProblem(t, 429, "rate_limited")
			break
		}
		if more == perClient {
			t.Fatalf("one more upload: %d %s", a.status, a.body)
		}
		hold()
	}
	if a := s.get(t, "/auth/me"); a.status != 401 {
		t.Errorf("a small request beside the uploads: %d %s", a.status, a.body)
	}
}

// readyLimit checks that /ready is limited.
func (s stack) readyLimit(t *testing.T) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for range 16 {
		wg.Go(func() {
			for range 100 {
				a, err := s.try(t, http.MethodGet, "/ready", nil)
				mu.Lock()
				if statuses[a.status]++; err != nil {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if statuses[200] == 0 || statuses[429] == 0 || statuses[200]+statuses[429] != 1600 {
		t.Errorf("1600 requests of /ready at once: %v", statuses)
	}
}

// rateLimit checks that the gateway limits logins and nothing else.
func (s stack) rateLimit(t *testing.T) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	var limited answer
	for range 60 {
		wg.Go(func() {
			a, err := s.try(t, http.MethodPost, "/auth/login", []byte(`{}`), "Content-Type", "application/json")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			statuses[a.status]++
			if a.status == 429 {
				limited = a
			}
		})
	}
	wg.Wait()
	if statuses[429] < 20 || statuses[429] > 40 || statuses[422]+statuses[429] != 60 {
		t.Errorf("60 logins at once were answered with %v", maps.Collect(maps.All(statuses)))
	}
	limited.wantProblem(t, 429, "rate_limited")
	if limited.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", limited.header.Get("Retry-After"))
	}
	if a := s.get(t, "/docs"); a.status != 200 {
		t.Errorf("GET /docs beside too many logins: %d", a.status)
	}
}
