package edge

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

func TestMain(m *testing.M) { platformtest.Main(m) }

// refusedDocument is a contract with operations in projects.
const refusedDocument = `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things:
    parameters: [{name: Project, in: header, schema: {type: string, maxLength: 40}}]
    get: {tags: [things], operationId: listThings, x-access: public, responses: {'200': {description: ok}}}
    post: {tags: [things], operationId: createThing, x-access: {scopes: [ingest]}, x-validation: handler, responses: {'200': {description: ok}}}
  /things/{id}/parts:
    parameters:
      - {name: Project, in: header, schema: {type: string, maxLength: 40}}
      - {name: id, in: path, required: true, schema: {type: string, maxLength: 40}}
    post: {tags: [things], operationId: createPart, x-access: {scopes: [ingest]}, x-validation: handler, responses: {'200': {description: ok}}}
  /pages/{id}:
    parameters:
      - {name: Project, in: header, schema: {type: string, maxLength: 40}}
      - {name: id, in: path, required: true, schema: {type: string, maxLength: 40}}
    post: {tags: [things], operationId: sendPage, x-access: {scopes: [ingest]}, x-validation: handler, x-cross-origin: true, responses: {'200': {description: ok}}}
components:
  schemas:
    Role: {type: string, enum: [admin, user]}
    ProjectRole: {type: string, enum: [owner, analyst, viewer]}
    Scope: {type: string, enum: [ingest, read, admin]}
`

// keys authenticates "Bearer N" as a key of project N. It recalls those of projects below 10.
type keys struct{ tenants }

// Authenticate implements Authenticator.
func (k keys) Authenticate(ctx context.Context, header string) (authn.Principal, error) {
	caller, err := k.tenants.Authenticate(ctx, header)
	caller.Scopes = []authn.Scope{authn.ScopeIngest}
	return caller, err
}

// Recall implements recaller.
func (k keys) Recall(header, _ string) (authn.Principal, bool) {
	caller, err := k.Authenticate(context.Background(), header)
	return caller, err == nil && caller.Project.ID < 10
}

// overloaded returns a router of a service whose only slot is taken, and in whose queue the projects 1 and 10 have as many requests as they
// may. Nothing changes until the test ends.
func overloaded(tb testing.TB, authenticator Authenticator) http.Handler {
	tb.Helper()
	deps := platformtest.Deps(tb)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer, TracerProvider: deps.TracerProvider,
		Config: httpserver.Config{RequestTimeout: time.Hour, AccessLog: "all"}, Health: httpserver.NewHealth(deps.Logger),
	})
	c, err := contract.Parse([]byte(refusedDocument))
	if err != nil {
		tb.Fatal(err)
	}
	slots := admission.New(admission.Config{MaxConcurrent: 1, MaxQueued: 2, QueueTime: time.Hour, QueueBurst: time.Hour}, deps.Logger, deps.Registerer)
	unexpected := func(http.ResponseWriter, *http.Request) { tb.Error("a handler is called") }
	err = mount(c, router, "things", Options{Authenticator: authenticator, Slots: slots}, func(r chi.Router) {
		r.Get("/things", unexpected)
		r.Post("/things", unexpected)
		r.Post("/things/{id}/parts", unexpected)
		r.Post("/pages/{id}", unexpected)
	})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := slots.Enter(tb.Context(), admission.Key{Name: "the only slot"}); err != nil {
		tb.Fatal(err)
	}
	for _, project := range []int16{1, 10} {
		platformtest.Go(tb, func(ctx context.Context) { _, _ = slots.Enter(ctx, admission.Key{Project: project}) })
	}
	platformtest.Eventually(tb, time.Minute, "both projects have a request in the queue", func() bool {
		return strings.Contains(metricsOf(router), "hpa_http_slots_waiting 2")
	})
	return router
}

func metricsOf(h http.Handler) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// recording counts how often callers are authenticated.
type recording struct {
	keys

	authenticated *int
}

// Authenticate implements Authenticator.
func (r recording) Authenticate(ctx context.Context, header string) (authn.Principal, error) {
	*r.authenticated++
	return r.keys.Authenticate(ctx, header)
}

// A request that finds the queue full is refused before it is routed, and its answer is the one that the operation gives.
func TestRefusalsAheadOfTheRouter(t *testing.T) {
	t.Parallel()
	authenticated := 0
	router := overloaded(t, recording{authenticated: &authenticated})
	refusal := func(token, target string) problem.Document {
		t.Helper()
		j := &journal{}
		w := post(router, target, token, body{j, strings.NewReader("content")})
		if len(j.entries) > 0 {
			t.Error("the body is read")
		}
		seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != http.StatusServiceUnavailable || err != nil || seconds < 1 || seconds > 4 || len(w.Header().Get("X-Request-Id")) != 26 {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
		header := w.Header().Clone()
		for _, name := range []string{"Retry-After", "X-Request-Id", "Content-Length"} {
			header.Del(name)
		}
		want := http.Header{"Content-Type": {problem.ContentType}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
		if !maps.EqualFunc(want, header, func(a, b []string) bool { return a[0] == b[0] }) {
			t.Errorf("%s: the header is %v, want %v", target, header, want)
		}
		var document problem.Document
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
			t.Error(err)
		}
		document.TraceID = ""
		return document
	}
	for _, target := range []string{"/things", "/things/7/parts"} {
		ahead := refusal("1", target)
		if authenticated > 0 {
			t.Fatalf("%s: a known caller is authenticated before the refusal", target)
		}
		routed := refusal("10", target) // not recalled, so the operation refuses it
		if authenticated != 1 {
			t.Errorf("%s: a caller who is not known is not authenticated", target)
		}
		if authenticated = 0; ahead.Code != "overloaded" || ahead.Detail != routed.Detail || ahead.Type != routed.Type || ahead.Title != routed.Title || ahead.Status != routed.Status {
			t.Errorf("%s: %+v ahead of the router, %+v by the operation", target, ahead, routed)
		}
	}
	metrics := metricsOf(router)
	for _, want := range []string{
		`hpa_http_refused_total{reason="full"} 4`,
		`hpa_http_request_duration_seconds_count{method="POST",route="/things",status="503"} 2`,
		`hpa_http_request_duration_seconds_count{method="POST",route="/things/{id}/parts",status="503"} 2`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A page may read a refusal ahead of the router where it may call, as it may read that of the operation.
func TestPagesReadRefusalsAheadOfTheRouter(t *testing.T) {
	t.Parallel()
	router := overloaded(t, keys{})
	for target, want := range map[string]string{"/pages/7": "https://shop.example", "/things": ""} {
		r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
		r.Header.Set("Authorization", "Bearer 1")
		r.Header.Set("Origin", "https://shop.example")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != http.StatusServiceUnavailable || got != want {
			t.Errorf("%s: %d, readable by %q, want %q", target, w.Code, got, want)
		}
	}
}

// What the queue has room for is not refused, and neither is what needs an answer of its own.
func TestWhatIsNotRefusedAhead(t *testing.T) {
	t.Parallel()
	router := overloaded(t, keys{})
	for name, tc := range map[string]struct {
		method, target, token string
		want                  int
	}{
		"no credentials": {http.MethodPost, "/things", "", http.StatusUnauthorized},
		"no such path":   {http.MethodPost, "/nothing", "1", http.StatusNotFound},
		"no such method": {http.MethodPut, "/things", "1", http.StatusMethodNotAllowed},
		"health":         {http.MethodGet, "/health", "1", http.StatusOK},
		"ready":          {http.MethodGet, "/ready", "1", http.StatusOK},
	} {
		r := httptest.NewRequest(tc.method, tc.target, http.NoBody)
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tc.token)
		}
		w := httptest.NewRecorder()
		if router.ServeHTTP(w, r); w.Code != tc.want {
			t.Errorf("%s: %d, want %d", name, w.Code, tc.want)
		}
	}
	waiting, stop := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodPost, "/things", http.NoBody).WithContext(waiting)
	r.Header.Set("Authorization", "Bearer 2") // a project without a request in the queue
	answered := make(chan struct{})
	go func() {
		router.ServeHTTP(httptest.NewRecorder(), r)
		close(answered)
	}()
	platformtest.Eventually(t, time.Minute, "its request waits", func() bool {
		return strings.Contains(metricsOf(router), "hpa_http_slots_waiting 3")
	})
	stop()
	<-answered
}

// The connection of a refused request stays open: another one would cost more than the refusal.
func TestRefusalsKeepConnections(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(overloaded(t, keys{}))
	defer server.Close()
	reused := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			reused++
		}
	}})
	const requests = 3
	for range requests {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/things", strings.NewReader(strings.Repeat("x", 64<<10)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer 1")
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d, %v", response.StatusCode, err)
		}
		response.Body.Close()
	}
	if reused != requests-1 {
		t.Errorf("%d of %d requests came over a connection that was open, want all but the first", reused, requests)
	}
}

// BenchmarkRefusal measures what a refused event costs over HTTP: ahead of the router, by the operation, and in a handler that does nothing else.
// Run it with -benchtime=20x.
func BenchmarkRefusal(b *testing.B) {
	const event = `{"type":"view","sku":"SHOE-1","user_id":"u-1","ts":"2026-03-14T09:26:53Z","properties":{"page":"/shoes","ref":"mail"}}`
	request := func(token string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/things", strings.NewReader(event))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(event)), nil }
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	router := overloaded(b, keys{})
	platformtest.MeasureReads(b,
		platformtest.Read{Name: "ahead", Handler: router, Request: request("1"), Status: http.StatusServiceUnavailable},
		platformtest.Read{Name: "routed", Handler: router, Request: request("10"), Status: http.StatusServiceUnavailable},
	)
}
