package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment/segmenttest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// world is an installation with several projects, whose rollups the test writes.
type world struct {
	t       *testing.T
	db      *pgxpool.Pool // as superuser
	now     time.Time     // of the service
	handler http.Handler
	routes  http.Handler // handler without the checker
	checker *openapitest.Checker
	callers callers
	client  *platformredis.Client
	server  *api.Server
	cache   *cache.Cache
	routed  atomic.Int64 // requests that were not answered ahead of the router
	derived bool         // whether the segments are those of the rows
}

// callers are principals by their credentials.
type callers map[string]authn.Principal

// Authenticate implements edge.Authenticator.
func (c callers) Authenticate(_ context.Context, header string) (authn.Principal, error) {
	p, ok := c[strings.TrimPrefix(header, "Bearer ")]
	if !ok {
		return p, authn.ErrNoCredentials
	}
	return p, nil
}

// Recall lets requests be answered ahead of the router.
func (c callers) Recall(header, _ string) (authn.Principal, bool) {
	p, ok := c[strings.TrimPrefix(header, "Bearer ")]
	return p, ok
}

// Enter implements edge.Authenticator: each caller acts in one project.
func (c callers) Enter(_ context.Context, caller authn.Principal, _ string) (authn.Principal, error) {
	return caller, nil
}

// counting counts the requests that are authenticated in their route.
type counting struct {
	callers
	routed *atomic.Int64
}

// Authenticate implements edge.Authenticator.
func (c counting) Authenticate(ctx context.Context, header string) (authn.Principal, error) {
	c.routed.Add(1)
	return c.callers.Authenticate(ctx, header)
}

func newWorld(t *testing.T) *world { return newWorldKeeping(t, time.Second) }

// newWorldKeeping returns a world whose service keeps answers for a while in its memory.
func newWorldKeeping(t *testing.T, local time.Duration) *world {
	t.Helper()
	database := dbtest.New(t)
	w := &world{t: t, db: database.Pool(""), now: time.Now(), checker: openapitest.New(t), callers: callers{}}
	logger := platformtest.Logger(t)
	w.client = redistest.ClientOf(t, redistest.New(t), platformpostgres.Identity(w.db))
	registry := prometheus.NewRegistry()
	w.cache = cache.New(cache.Options{Name: "analytics", LocalTTL: local, RedisTTL: 10 * time.Second, MaxBytes: 1 << 20, Reply: api.Headers}, w.client, logger, registry)
	reports := postgres.New(database.Pool("hp_analytics"))
	w.server = &api.Server{
		Reports: reports, Numbers: api.NewNumbers(reports), Zones: api.NewZones(reports), Cache: w.cache, Versions: redis.NewVersions(w.client, logger), OpenToUsers: true,
		Now: func() time.Time { return w.now },
	}
	t.Cleanup(func() {
		w.server.Versions.Close()
		w.server.Numbers.Close()
		w.server.Zones.Close()
		w.cache.Close()
	})
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: httpserver.Config{AccessLog: "none", RequestTimeout: time.Minute}, Logger: logger, Registerer: registry, Gatherer: registry,
		TracerProvider: noop.NewTracerProvider(), Health: httpserver.NewHealth(logger),
	})
	options := edge.Options{
		Authenticator: counting{w.callers, &w.routed}, Limits: map[string]edge.Limit{"analytics": edge.ChargedByHandler(), "shared": edge.ChargedByHandler()}, Prepared: api.Prepared(),
	}
	if err := edge.Mount(router, "analytics", options, w.server.Mount); err != nil {
		t.Fatal(err)
	}
	w.routes = router
	w.handler = w.checker.Handler(router)
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
	w.derived = false
}

// number runs an INSERT that returns a number.
func (w *world) number(sql string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// project makes a project with a key that may read it, whose credential is the slug.
func (w *world) project(slug, zone, currency string) *project {
	w.t.Helper()
	location, err := localtime.Load(zone)
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.number(`INSERT INTO auth.projects (slug, name, time_zone, currency) VALUES ($1, $1, $2, $3) RETURNING id`, slug, zone, currency)
	p := &project{w: w, Project: authn.Project{ID: int16(id), Slug: slug, Zone: location, Currency: currency, WeekStart: time.Monday}}
	p.calls(slug, authn.Principal{KeyID: uuid.NewString(), Scopes: []authn.Scope{authn.ScopeRead}})
	return p
}

// calls adds a caller in the project.
func (p *project) calls(credential string, caller authn.Principal) {
	caller.Project = p.Project
	p.w.callers[credential] = caller
}

// get asks with a credential.
func (w *world) get(credential, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+credential)
	return w.serve(r)
}

// serve answers a request from the rows that the test wrote.
func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	if !w.derived {
		segmenttest.Derive(w.t, w.db)
		w.derived = true
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

// ask asks with the key of the project, and decodes a 200.
func ask[T any](p *project, path string) (answer T) {
	p.w.t.Helper()
	got := p.w.get(p.Slug, path)
	if got.Code != http.StatusOK {
		p.w.t.Fatalf("GET %s in %s: %d %s", path, p.Slug, got.Code, got.Body)
	}
	if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
		p.w.t.Fatal(err)
	}
	return answer
}
