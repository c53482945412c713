package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// The products and users of the tests.
const (
	shoeID  = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10" // SHOE, 129.00 EUR
	hatID   = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11" // HAT, archived
	aliceID = "0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57"
	bobID   = "0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c58"
	carolID = "0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c5f"
)

// platform is an ingest service with all it needs. Every answer is held against openapi.yaml.
type platform struct {
	t       *testing.T
	auth    *authntest.Auth
	db      *pgxpool.Pool // as superuser: another connection than the service's
	url     string
	deps    service.Deps
	checker *openapitest.Checker
	routes  http.Handler // without the checker, which keeps every answer in memory

	ingestKey string // an API key with the scope ingest
}

// start starts a service on the shared servers.
func start(t *testing.T, options ...func(*ingest.Config)) *platform {
	t.Helper()
	database := dbtest.New(t)
	options = append([]func(*ingest.Config){func(cfg *ingest.Config) {
		cfg.Postgres, cfg.Redis = database.Config(), redistest.New(t)
	}}, options...)
	return startOn(t, database.Pool(""), options...)
}

// startOn starts a service on given servers; db is a superuser of its database.
func startOn(t *testing.T, db *pgxpool.Pool, options ...func(*ingest.Config)) *platform {
	t.Helper()
	p := &platform{t: t, auth: authntest.New(t), db: db, deps: platformtest.Deps(t), checker: openapitest.New(t)}
	p.auth.Use(db)
	p.seed()
	var cfg ingest.Config
	if err := config.Load(t.Context(), &cfg, config.Environ([]string{
		"DATABASE_URL=postgres://localhost/x", "REDIS_URL=redis://localhost/0", "JWKS_URL=" + p.auth.JWKSURL(),
	}, "")); err != nil {
		t.Fatal(err)
	}
	for _, option := range options {
		option(&cfg)
	}
	svc, err := ingest.New(context.WithoutCancel(t.Context()), cfg, p.deps)
	if err != nil {
		t.Fatal(err)
	}
	platformtest.Run(t, svc)
	p.routes = svc.Routes()
	server := httptest.NewServer(p.checker.Handler(p.routes))
	t.Cleanup(server.Close)
	p.url = server.URL
	platformtest.Eventually(t, time.Minute, "the service is ready", func() bool {
		return p.get("/ready", "").status == http.StatusOK
	})
	return p
}

// seed makes the products, unless another process of the same database has, and an API key.
func (p *platform) seed() {
	p.t.Helper()
	p.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency, status)
		VALUES ($1, 1, 'SHOE', 'Shoe', 12900, 'EUR', 'active'), ($2, 1, 'HAT', 'Hat', 900, 'EUR', 'archived')
		ON CONFLICT DO NOTHING`, shoeID, hatID)
	p.ingestKey = p.apiKey("ingest")
}

// apiKey makes an API key.
func (p *platform) apiKey(scope string) string {
	p.t.Helper()
	key := authn.NewKey()
	p.exec(`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes)
		VALUES ($1, 1, 'test', $2, 'hpa_test', $3)`, uuid.New(), authn.HashKey(key), []string{scope})
	return key
}

func (p *platform) exec(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.db.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// count runs a query that returns one number.
func (p *platform) count(sql string, args ...any) int {
	p.t.Helper()
	var n int
	if err := p.db.QueryRow(p.t.Context(), sql, args...).Scan(&n); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// answer is an answer of the service; object is its decoded body.
type answer struct {
	status int
	header http.Header
	object map[string]any
}

func (p *platform) get(path, token string) answer {
	p.t.Helper()
	return p.send(http.MethodGet, path, token, nil)
}

// post sends a JSON body.
func (p *platform) post(path, token, body string, header ...string) answer {
	p.t.Helper()
	return p.send(http.MethodPost, path, token, []byte(body), header...)
}

// send sends a request; header holds names and values by turns.
func (p *platform) send(method, path, token string, body []byte, header ...string) answer {
	p.t.Helper()
	a, err := p.try(method, path, token, body, header...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is send for other goroutines than the test's own.
func (p *platform) try(method, path, token string, body []byte, header ...string) (answer, error) {
	return p.tryIn(p.t.Context(), method, path, token, body, header...)
}

func (p *platform) tryIn(ctx context.Context, method, path, token string, body []byte, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header}
	_ = json.Unmarshal(content, &a.object) // what is no object has no members
	return a, err
}

// string returns a member of the answer that is text.
func (a answer) string(name string) string {
	s, _ := a.object[name].(string)
	return s
}

// number returns a member of the answer that is a number.
func (a answer) number(name string) int {
	n, _ := a.object[name].(float64)
	return int(n)
}

// problems lists the answer's errors as "pointer code", or "index/pointer code" for items of a batch.
func (a answer) problems() []string {
	var found []string
	list, _ := a.object["errors"].([]any)
	for _, each := range list {
		problem, _ := each.(map[string]any)
		where, _ := problem["pointer"].(string)
		if index, ok := problem["index"]; ok {
			where = fmt.Sprint(index) + where
		}
		code, _ := problem["code"].(string)
		found = append(found, where+" "+code)
	}
	return found
}

// expect checks status and code; a code of "" is a success.
func (a answer) expect(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.string("code") != code {
		t.Errorf("got %d %q, want %d %q: %v", a.status, a.string("code"), status, code, a.object)
	}
}

// expectBulk checks the counts and errors of a bulk answer.
func (a answer) expectBulk(t *testing.T, accepted, duplicates int, errors ...string) {
	t.Helper()
	status := http.StatusAccepted
	if accepted+duplicates == 0 {
		status = http.StatusUnprocessableEntity
	}
	a.expect(t, status, "")
	refused := map[string]bool{} // indexes: an item has an error for each of its problems
	for _, e := range errors {
		refused[e[:strings.IndexAny(e, "/ ")]] = true
	}
	got := []int{a.number("accepted"), a.number("duplicates"), a.number("rejected")}
	if diff := cmp.Diff([]int{accepted, duplicates, len(refused)}, got); diff != "" {
		t.Errorf("accepted, duplicates, rejected (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(errors, a.problems()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// withPostgres is an option that uses another database.
func withPostgres(cfg postgres.Config) func(*ingest.Config) {
	return func(c *ingest.Config) { c.Postgres = cfg }
}
