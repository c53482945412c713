package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// newHandler returns the handlers without the edge, and the number of a second project.
func newHandler(t *testing.T) (handler http.Handler, second int16) {
	t.Helper()
	db := dbtest.New(t)
	const insert = `INSERT INTO auth.projects (slug, name) VALUES ('second', 'Second') RETURNING id`
	if err := db.Pool("").QueryRow(t.Context(), insert).Scan(&second); err != nil {
		t.Fatal(err)
	}
	client := redistest.Client(t, redistest.New(t))
	warm := func(name string, headers func(cache.Entry) reply.Options) *cache.Cache {
		options := cache.Options{Name: name, LocalTTL: time.Minute, RedisTTL: time.Minute, MaxBytes: 1 << 20, Reply: headers}
		c := cache.New(options, client, platformtest.Logger(t), prometheus.NewRegistry())
		t.Cleanup(c.Close)
		platformtest.Go(t, c.Run)
		return c
	}
	caches := api.Caches{Products: warm("products", api.ProductHeaders), Pages: warm("pages", api.PageHeaders)}
	budget := inflight.NewBudget("catalog", inflight.Limits{Total: 1 << 30, Caller: 1 << 30, Address: 1 << 30}, prometheus.NewRegistry())
	bodies := body.NewOpener(budget, body.Pace{Stall: time.Minute, Rate: 1, Total: time.Minute})
	router := chi.NewRouter()
	api.NewServer(postgres.New(db.Pool("hp_catalog")), caches, bodies, platformtest.Logger(t)).Mount(router)
	return router, second
}

// TestProjectsNeverMeet checks that each operation acts in the project of its caller, with a warm cache, too.
func TestProjectsNeverMeet(t *testing.T) {
	t.Parallel()
	handler, second := newHandler(t)
	send := func(project int16, method, target, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		if project != 0 {
			r = r.WithContext(authn.WithPrincipal(r.Context(), authn.Principal{KeyID: "key", Project: authn.Project{ID: project}}))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	const shoe = `{"sku":"A","name":"Shoe","price_minor":1,"currency":"EUR"}`
	path := send(1, http.MethodPost, "/products", shoe).Header().Get("Location")
	if w := send(second, http.MethodPost, "/products", shoe); w.Code != http.StatusCreated {
		t.Fatalf("the same SKU in another project: status %d: %s", w.Code, w.Body)
	}
	var page struct {
		Items  []struct{ ID string }
		Cursor string `json:"next_cursor"`
	}
	send(1, http.MethodPost, "/products/bulk", `{"products":[{"sku":"B","name":"Boot","price_minor":1,"currency":"EUR"}]}`)
	if err := json.Unmarshal(send(1, http.MethodGet, "/products?limit=1", "").Body.Bytes(), &page); err != nil || page.Cursor == "" {
		t.Fatalf("the first page: %+v, %v", page, err)
	}
	send(1, http.MethodGet, path, "") // now it is in the cache

	for _, test := range []struct {
		project              int16
		method, target, body string
		status               int
	}{
		{second, http.MethodGet, path, "", http.StatusNotFound},
		{second, http.MethodPatch, path, `{"name":"theirs"}`, http.StatusNotFound},
		{second, http.MethodDelete, path, "", http.StatusNotFound},
		{second, http.MethodGet, "/products?limit=1&cursor=" + page.Cursor, "", http.StatusUnprocessableEntity},
		{second, http.MethodGet, "/products/" + page.Items[0].ID, "", http.StatusNotFound},
		{1, http.MethodGet, path, "", http.StatusOK},
		{0, http.MethodGet, path, "", http.StatusOK}, // without credentials: the default project
	} {
		if w := send(test.project, test.method, test.target, test.body); w.Code != test.status {
			t.Errorf("project %d: %s %s: status %d, want %d", test.project, test.method, test.target, w.Code, test.status)
		}
	}
	if got := send(1, http.MethodGet, path, "").Body.String(); !strings.Contains(got, `"name":"Shoe"`) || !strings.Contains(got, `"version":1`) {
		t.Errorf("after the requests of the other project: %s", got)
	}
}
