package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

const goodPassword = "correct horse battery"

// office is the shared state of the replicas of a test.
type office struct {
	t        *testing.T
	checker  *openapitest.Checker
	postgres platformpostgres.Config
	redis    redis.Config
	change   func(*auth.Config) // changes the default configuration, whose limits are high; may be nil
	logs     io.Writer          // gets the log of the replicas from warnings up, if it is not nil

	lastRoutes http.Handler // of the last replica, without contract checks
}

func newOffice(t *testing.T) *office {
	t.Helper()
	return &office{t: t, checker: openapitest.New(t), postgres: dbtest.New(t).Config(), redis: redistest.New(t)}
}

// build makes a replica that is not started yet. Its context lasts as long as the test.
func (o *office) build() service.Service {
	o.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(o.t.Context()))
	o.t.Cleanup(cancel)
	cfg := auth.Config{
		Config: frame.Config{
			Config:   service.Config{HTTP: httpserver.Config{AccessLog: "errors", RequestTimeout: time.Minute}},
			Postgres: o.postgres, Redis: o.redis,
		},
		Registration: "open",
		AccessTTL:    15 * time.Minute, RefreshTTL: 24 * time.Hour, RefreshGrace: time.Minute, SessionMaxAge: 48 * time.Hour, SigningKeyMaxAge: 24 * time.Hour, AuditRetention: 400,
		LoginAccountLimit: 1000, LoginAccountTotal: 1000, LoginAddressLimit: 1000, RegisterLimit: 1000, RegisterRefusedLimit: 1000, RefreshLimit: 1000, ShareLimit: 1000, DigestTestLimit: 1000,
	}
	if o.change != nil {
		o.change(&cfg)
	}
	deps := platformtest.Deps(o.t)
	if o.logs != nil {
		deps.Logger = telemetry.NewLogger(o.logs, telemetry.LogConfig{Level: slog.LevelWarn, Format: "text"})
	}
	svc, err := auth.New(ctx, cfg, deps)
	if err != nil {
		o.t.Fatal(err)
	}
	return svc
}

// start starts a replica and returns an anonymous client of it. Every response is checked against openapi.yaml.
func (o *office) start() client {
	o.t.Helper()
	svc := o.build()
	platformtest.Run(o.t, svc)
	platformtest.Eventually(o.t, 10*time.Second, "the service is ready", func() bool {
		_, ready := svc.Health().Ready(o.t.Context())
		return ready
	})
	o.lastRoutes = svc.Routes()
	return client{t: o.t, handler: o.checker.Handler(svc.Routes())}
}

// execute runs a statement as the owner of the database and returns the number of changed rows.
func (o *office) execute(statement string, args ...any) int64 {
	o.t.Helper()
	conn, err := pgx.Connect(o.t.Context(), string(o.postgres.URL))
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(o.t.Context()))
	tag, err := conn.Exec(o.t.Context(), statement, args...)
	if err != nil {
		o.t.Fatal(err)
	}
	return tag.RowsAffected()
}

// value reads one value as the owner of the database.
func (o *office) value(query string, into any, args ...any) {
	o.t.Helper()
	conn, err := pgx.Connect(o.t.Context(), string(o.postgres.URL))
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(o.t.Context()))
	if err := conn.QueryRow(o.t.Context(), query, args...).Scan(into); err != nil {
		o.t.Fatal(err)
	}
}

// put creates an account with a role, as the command line does.
func (o *office) put(email, password string, role authn.Role) {
	o.t.Helper()
	pool, err := platformpostgres.Open(o.t.Context(), o.postgres, "hp_auth", "test", platformtest.Deps(o.t).TracerProvider)
	if err != nil {
		o.t.Fatal(err)
	}
	defer pool.Close()
	if err := accounts.Put(o.t.Context(), pool, email, password, role); err != nil {
		o.t.Fatal(err)
	}
}

// client sends requests with a token; without one it is anonymous.
type client struct {
	t       *testing.T
	handler http.Handler
	token   string
	address string // of the client; "" for the default
	project string // that requests name in a header; "" for none
}

func (c client) as(token string) client {
	c.token = token
	return c
}

func (c client) from(address string) client {
	c.address = address
	return c
}

// do sends a request. Headers are "Name: value".
func (c client) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.address != "" {
		r.RemoteAddr = c.address
	}
	if c.project != "" {
		r.Header.Set("Project", c.project)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w
}

// want sends a request, checks the status and decodes the response.
func want[T any](c client, status int, method, target, body string) T {
	c.t.Helper()
	w := c.do(method, target, body)
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

type user struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
}

type apiKey struct {
	ID              string `json:"id"`
	Project         string `json:"project"`
	UnknownProducts string `json:"unknown_products"`

	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	Key        string     `json:"key"`
	Delegate   bool       `json:"delegate"`
	CreatedBy  string     `json:"created_by"`
	Account    string     `json:"account"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

// makeKey makes an API key with the members of a request, such as `"scopes":["read"]`.
func (c client) makeKey(members string) apiKey {
	c.t.Helper()
	return want[apiKey](c, http.StatusCreated, http.MethodPost, "/auth/api-keys", `{"name":"test",`+members+`}`)
}

// revoke revokes an API key and returns how many were revoked with it.
func (c client) revoke(id string) int {
	c.t.Helper()
	return want[struct{ Revoked int }](c, http.StatusOK, http.MethodDelete, "/auth/api-keys/"+id, "").Revoked
}

func credentials(email, password string) string {
	return `{"email":"` + email + `","password":"` + password + `"}`
}

func (c client) register(email string) user {
	c.t.Helper()
	return want[user](c, http.StatusCreated, http.MethodPost, "/auth/register", credentials(email, goodPassword))
}

func (c client) login(email, password string) tokens {
	c.t.Helper()
	return want[tokens](c, http.StatusOK, http.MethodPost, "/auth/login", credentials(email, password))
}

func (c client) refresh(token string) *httptest.ResponseRecorder {
	return c.do(http.MethodPost, "/auth/refresh", `{"refresh_token":"`+token+`"}`)
}

// admin returns a client with the access token of a new admin.
func (o *office) admin(c client) client {
	o.t.Helper()
	o.put("root@example.com", goodPassword, authn.Admin)
	return c.as(c.login("root@example.com", goodPassword).AccessToken)
}

// wantProblem checks an error response: its status, its code and its fields as "pointer code".
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
