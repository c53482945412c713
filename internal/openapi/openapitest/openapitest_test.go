package openapitest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

// reports is a testing.TB that records failures.
type reports struct {
	testing.TB
	mu   sync.Mutex
	list []string
}

func (r *reports) Helper() {}

func (r *reports) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fmt.Sprintf(format, args...))
}

// answering returns a handler with a fixed answer. Header lines are "Name: value".
func answering(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

const (
	asJSON    = "Content-Type: application/json; charset=utf-8"
	asProblem = "Content-Type: application/problem+json"

	user       = `{"id":"0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57","email":"a@b.c","name":"","role":"user","created_at":"2026-03-14T09:26:53.123456Z","projects":[]}`
	notFound   = `{"type":"https://hp-analytics.dev/problems/not_found","title":"Not Found","status":404,"code":"not_found"}`
	forbidden  = `{"type":"https://hp-analytics.dev/problems/forbidden","title":"Forbidden","status":403,"code":"forbidden"}`
	notAllowed = `{"type":"https://hp-analytics.dev/problems/method_not_allowed","title":"Method Not Allowed","status":405,"code":"method_not_allowed"}`
)

func TestChecker(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		method, target string
		handler        http.Handler
		want           []string // parts of the report; none means that the answer is fine
		exercised      []string
	}{
		{name: "as documented", target: "/auth/me", handler: answering(200, user, asJSON), exercised: []string{"getMe"}},
		{name: "error as documented", target: "/auth/me", handler: answering(403, forbidden, asProblem)},
		{
			name: "status", target: "/auth/me", handler: answering(206, user, asJSON),
			want: []string{"GET /auth/me", "getMe has no status 206"},
		},
		{
			name: "unknown member", target: "/auth/me", handler: answering(200, strings.Replace(user, `{`, `{"password_hash":"x",`, 1), asJSON),
			want: []string{"password_hash", "unsupported"},
		},
		{
			name: "unknown member of a problem", target: "/auth/me", handler: answering(403, strings.Replace(forbidden, `{`, `{"stack":"x",`, 1), asProblem),
			want: []string{"stack", "unsupported"},
		},
		{
			name: "all problems of a body", target: "/auth/me",
			handler: answering(200, `{"id":"17","email":"nobody","role":"root","created_at":"today"}`, asJSON),
			want:    []string{"/id", "/email", "/role", "/created_at", "/name"},
		},
		{name: "not JSON", target: "/auth/me", handler: answering(200, "{", asJSON), want: []string{"malformed_json"}},
		{name: "no body", target: "/auth/me", handler: answering(200, "", asJSON), want: []string{"malformed_json"}},
		{
			name: "media type", target: "/auth/me", handler: answering(403, forbidden, asJSON),
			want: []string{`content type "application/json; charset=utf-8" is not documented`},
		},
		{name: "no media type", target: "/auth/me", handler: answering(200, user), want: []string{`content type "" is not documented`}},
		{
			name: "missing headers", method: "POST", target: "/auth/login",
			handler: answering(429, strings.NewReplacer("404", "429", "Not Found", "Too Many Requests").Replace(notFound), asProblem),
			want:    []string{`"Retry-After" missing`},
		},
		{
			name: "bad header", method: "POST", target: "/auth/login",
			handler: answering(429, strings.Replace(notFound, "404", "429", 1), asProblem, "Retry-After: soon"),
			want:    []string{`"Retry-After"`},
		},
		{
			name: "header of a 304", target: "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10",
			handler: answering(304, "", "Cache-Control: no-cache", "ETag: 1"), want: []string{`"ETag"`},
		},
		{
			name: "304 as documented", target: "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10",
			handler: answering(304, "", "Cache-Control: no-cache", `ETag: "1"`), exercised: []string{"getProduct"},
		},
		{
			name: "body where none is documented", method: "POST", target: "/auth/logout",
			handler: answering(204, "{}"), want: []string{"there must be no body"},
		},
		{name: "text", target: "/metrics", handler: answering(200, "up 1\n", "Content-Type: text/plain; version=0.0.4"), exercised: []string{"getMetrics"}},
		{name: "unknown path", target: "/nothing", handler: answering(404, notFound, asProblem)},
		{name: "unknown path served", target: "/nothing", handler: answering(200, user, asJSON), want: []string{"no such operation", "must be 404"}},
		{name: "unknown path without a problem", target: "/nothing", handler: answering(404, "404 page not found", "Content-Type: text/plain"), want: []string{"text/plain"}},
		{name: "unknown method", method: "PUT", target: "/products", handler: answering(405, notAllowed, asProblem, "Allow: GET")},
		{name: "unknown method without Allow", method: "PUT", target: "/products", handler: answering(405, notAllowed, asProblem), want: []string{"Allow is missing"}},
		{name: "unknown method as 404", method: "PUT", target: "/products", handler: answering(404, notFound, asProblem), want: []string{"must be 405"}},
		{name: "files of the documentation", target: "/docs/swagger-ui.css", handler: answering(200, "a{}", "Content-Type: text/css")},
		{
			name: "implicit status", target: "/health", exercised: []string{"getHealth"},
			handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"status":"ok"}`)
				w.Header().Set("Content-Type", "text/plain") // too late to be sent
			}),
		},
		{name: "nothing written", target: "/health", handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), want: []string{"status 200"}},
		{
			name: "route change below", target: "/auth/me", exercised: []string{"getMe"},
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.Path = "/me"
				answering(200, user, asJSON).ServeHTTP(w, r)
			}),
		},
	} {
		if tc.method == "" {
			tc.method = http.MethodGet
		}
		use := map[string]func(t *testing.T, c *openapitest.Checker) *http.Response{
			"handler": func(_ *testing.T, c *openapitest.Checker) *http.Response {
				w := httptest.NewRecorder()
				c.Handler(tc.handler).ServeHTTP(w, httptest.NewRequest(tc.method, tc.target, nil))
				return w.Result()
			},
			"transport": func(t *testing.T, c *openapitest.Checker) *http.Response {
				r, _ := http.NewRequest(tc.method, "http://example.com"+tc.target, nil)
				response, err := c.Transport(direct{tc.handler}).RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				return response
			},
		}
		for way, exercise := range use {
			t.Run(tc.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				reported := &reports{TB: t}
				checker := openapitest.New(reported)
				got := exercise(t, checker)
				verify(t, reported.list, tc.want)
				if diff := cmp.Diff(tc.exercised, checker.Exercised()); diff != "" {
					t.Errorf("exercised (-want +got):\n%s", diff)
				}
				plain := httptest.NewRecorder()
				tc.handler.ServeHTTP(plain, httptest.NewRequest(tc.method, tc.target, nil))
				body, _ := io.ReadAll(got.Body)
				if got.StatusCode != plain.Code || string(body) != plain.Body.String() {
					t.Errorf("passes on %d %q, want %d %q", got.StatusCode, body, plain.Code, plain.Body)
				}
			})
		}
	}
}

// direct is a transport that calls a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r.Clone(r.Context()))
	return w.Result(), nil
}

func verify(t *testing.T, reported, want []string) {
	t.Helper()
	if len(want) == 0 {
		if len(reported) > 0 {
			t.Errorf("reported %q", reported)
		}
		return
	}
	if len(reported) != 1 {
		t.Fatalf("%d reports, want 1: %q", len(reported), reported)
	}
	for _, part := range want {
		if !strings.Contains(reported[0], part) {
			t.Errorf("the report has no %q: %s", part, reported[0])
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	checker := openapitest.New(t)
	h := checker.Handler(answering(200, user, asJSON))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/auth/me", nil))
	want := []string{
		"acceptInvitation", "changePassword", "createAPIKey", "createAlert", "createAnnotation", "createDigest", "createInvitation", "createProject", "createProjectInvitation",
		"createShareLink", "createView", "deleteAlert", "deleteAnnotation", "deleteDigest", "deleteView", "endOwnSessions", "endSessions", "getAlert", "getJWKS", "getProject", "listAPIKeys", "listAlertEvaluations", "listAlerts", "listAnnotations", "listAudit", "listDigests", "listInvitations", "listMembers",
		"listProjectAudit", "listProjectInvitations", "listProjects", "listShareLinks", "listUsers", "listViews", "login", "logout", "openShareLink", "putMember", "refresh", "register",
		"removeMember", "replaceAlert", "replaceAnnotation", "replaceDigest", "replaceView", "resetPassword", "revokeAPIKey", "revokeInvitation", "revokeProjectInvitation", "revokeShareLink", "setSigningSecret", "testAlert", "testDigest", "updateProject",
		"updateUser",
	}
	if diff := cmp.Diff(want, checker.Missing("auth")); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string][]string{
		"catalog": {"archiveProduct", "bulkUpsertProducts", "createProduct", "getProduct", "listProducts", "updateProduct"},
		"ingest": {
			"beginImport", "createEvent", "createEventsBulk", "createOrder", "createOrdersBulk", "createPurchase",
			"createPurchasesBulk", "createRefund", "createStandaloneRefund", "createStandaloneRefundsBulk", "eraseUser",
			"exportEvents", "exportOrders", "exportRefunds", "exportUser", "finishImport", "getBatchReceipt", "getErasure", "getExport", "getImport",
			"getOrder", "getSegmentSettings", "getSourceConfig", "listErasures", "listEvents", "listExports", "listRejections", "listUserEvents", "receiveShopify", "receiveStripe", "sendBeacon",
			"sendCloudEvents", "sendOTLPLogs", "sendPlausible", "sendPostHog", "sendPostHogEvent", "sendPostHogEventPlain", "sendPostHogPlain", "sendSegment", "sendSegmentBeacon",
		},
		"analytics": {
			"eventNames", "eventTimeseries", "getSystem", "liveEvents", "mySummary", "overview", "productTimeseries", "productTimeseriesBySKU", "sharedOverview", "sharedProduct",
			"topProducts", "topUsers", "userSummary",
		},
		"operations": {"getDashboard", "getDashboardPage", "getDocs", "getHealth", "getMetrics", "getOpenAPI", "getReadiness", "getTracker"},
	} {
		if diff := cmp.Diff(want, openapitest.Operations(t, tag)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
}
