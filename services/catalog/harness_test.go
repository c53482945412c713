package catalog_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// shop is everything that replicas of the service share in a test.
type shop struct {
	t        testing.TB
	auth     *authntest.Auth
	checker  *openapitest.Checker
	postgres postgres.Config
	redis    redis.Config
	cacheTTL time.Duration
}

func newShop(t testing.TB) *shop {
	t.Helper()
	database := dbtest.New(t)
	auth := authntest.New(t)
	auth.Use(database.Pool(""))
	return &shop{
		t: t, auth: auth, checker: openapitest.New(t),
		postgres: database.Config(), redis: redistest.New(t), cacheTTL: time.Minute,
	}
}

// start starts a replica and returns an admin's client of it. Every answer is held against openapi.yaml.
func (s *shop) start() client {
	s.t.Helper()
	return s.client(s.serve())
}

// client returns an admin's client of a replica.
func (s *shop) client(routes http.Handler) client {
	return client{t: s.t, handler: s.checker.Handler(routes), token: s.auth.Token(authn.Admin, uuid.NewString())}
}

// serve starts a replica.
func (s *shop) serve() http.Handler {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	s.t.Cleanup(cancel)
	cfg := catalog.Config{
		Config: frame.Config{
			Config:   service.Config{HTTP: httpserver.Config{AccessLog: "errors", RequestTimeout: time.Minute}},
			Postgres: s.postgres, Redis: s.redis,
		},
		Auth: s.auth.Config(), CacheTTL: s.cacheTTL, CacheBytes: 1 << 20, MaxInflightBytes: 64 << 20,
	}
	svc, err := catalog.New(ctx, cfg, platformtest.Deps(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	platformtest.Run(s.t, svc)
	platformtest.Eventually(s.t, time.Minute, "the service is ready", func() bool {
		_, ready := svc.Health().Ready(ctx)
		return ready
	})
	return svc.Routes()
}

// execute runs a statement as the owner of the database, behind the service's back.
func (s *shop) execute(statement string, args ...any) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), string(s.postgres.URL))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	if _, err := conn.Exec(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

// client sends requests with a token; without one it is anonymous.
type client struct {
	t       testing.TB
	handler http.Handler
	token   string
}

func (c client) as(token string) client {
	c.token = token
	return c
}

// do sends a request. Headers are "Name: value".
func (c client) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w
}

// want sends a request, demands a status and decodes the answer.
func want[T any](c client, status int, method, target, body string, headers ...string) T {
	c.t.Helper()
	w := c.do(method, target, body, headers...)
	if w.Code != status {
		c.t.Fatalf("%s %s %s: status %d, want %d: %s", method, target, body, w.Code, status, w.Body)
	}
	var answer T
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			c.t.Fatalf("%s %s answers %q: %v", method, target, w.Body, err)
		}
	}
	return answer
}

// item is a product of an answer.
type item struct {
	ID          string           `json:"id"`
	SKU         string           `json:"sku"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Category    string           `json:"category"`
	PriceMinor  int64            `json:"price_minor"`
	Currency    string           `json:"currency"`
	Prices      map[string]int64 `json:"prices"`
	Status      string           `json:"status"`
	Placeholder bool             `json:"placeholder"`
	Attributes  map[string]any   `json:"attributes"`
	Version     int64            `json:"version"`
	CreatedAt   time.Time        `json:"created_at"`
	UpdatedAt   time.Time        `json:"updated_at"`
}

func (i item) path() string { return "/products/" + i.ID }

type list struct {
	Items      []item  `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

func (l list) skus() []string {
	var skus []string
	for _, i := range l.Items {
		skus = append(skus, i.SKU)
	}
	return skus
}

type bulkResult struct {
	Created     int         `json:"created"`
	Updated     int         `json:"updated"`
	Reactivated int         `json:"reactivated"`
	Unchanged   int         `json:"unchanged"`
	Archived    int         `json:"archived"`
	Errors      []itemError `json:"errors"`
}

type itemError struct {
	Index   int    `json:"index"`
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
}

// document returns the JSON of a product with one more member, or with another value for one: `"name":"x"`.
func document(sku string, members ...string) string {
	all := []string{`"sku":"` + sku + `"`, `"name":"Name of ` + sku + `"`, `"price_minor":12900`, `"currency":"EUR"`}
	for _, member := range members {
		name, _, _ := strings.Cut(member, ":")
		all = slices.DeleteFunc(all, func(m string) bool { return strings.HasPrefix(m, name+":") })
		all = append(all, member)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func (c client) create(sku string, members ...string) item {
	c.t.Helper()
	return want[item](c, http.StatusCreated, http.MethodPost, "/products", document(sku, members...))
}

// wantProblem checks an error answer: its status, its code and its fields as "pointer code".
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code string, fields ...string) {
	t.Helper()
	var doc struct {
		Code   string `json:"code"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Code    string `json:"code"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("status %d with body %q: %v", w.Code, w.Body, err)
	}
	var got []string
	for _, e := range doc.Errors {
		got = append(got, e.Pointer+" "+e.Code)
	}
	if diff := cmp.Diff(fields, got); w.Code != status || doc.Code != code || diff != "" {
		t.Errorf("status %d %s, want %d %s; errors (-want +got):\n%s%s", w.Code, doc.Code, status, code, diff, w.Body)
	}
}

// get reads what must be there.
func get[T any](c client, target string) T {
	c.t.Helper()
	return want[T](c, http.StatusOK, http.MethodGet, target, "")
}
