package catalog_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestRedisDown(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	server := redistest.StartServer(t)
	shop.redis, shop.cacheTTL = server.Config(), time.Second
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	get[item](there, shoe.path())

	server.Stop()
	want[item](here, http.StatusOK, http.MethodPatch, shoe.path(), `{"name":"new"}`)
	if got := get[item](here, shoe.path()).Version; got != 2 {
		t.Errorf("the same replica has version %d, want 2", got)
	}
	wantSoon(there, shoe.path(), 2)
	sock := here.create("B")
	get[item](there, sock.path())
	get[list](there, "/products")
	want[bulkResult](here, http.StatusOK, http.MethodPost, "/products/bulk", `{"products":[`+document("B", `"price_minor":1`)+`]}`)
	want[any](here, http.StatusNoContent, http.MethodDelete, shoe.path(), "")
	if w := here.do(http.MethodGet, "/ready", ""); w.Code != http.StatusOK {
		t.Errorf("not ready without Redis: %s", w.Body)
	}

	server.Restart()
	platformtest.Eventually(t, time.Minute, "what Redis missed is seen", func() bool {
		return get[item](here, shoe.path()).Version == 3 && get[item](there, shoe.path()).Version == 3 &&
			get[item](there, sock.path()).Version == 2
	})
}

// TestRedisHangs checks that requests do not wait for a Redis that takes commands but never answers, at least not each.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	server := redistest.StartServer(t)
	shop.redis = server.Config()
	shop.redis.Timeout = 200 * time.Millisecond
	admin := shop.start()
	shoe := admin.create("A")

	server.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { server.Signal(syscall.SIGCONT) })
	start := time.Now()
	for i := range 50 {
		patched := want[item](admin, http.StatusOK, http.MethodPatch, shoe.path(), fmt.Sprintf(`{"price_minor":%d}`, i))
		if got := get[item](admin, shoe.path()); got.Version != patched.Version {
			t.Errorf("version %d after %d", got.Version, patched.Version)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("50 changes without Redis took %s", took)
	}
}

func TestPostgresDown(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	server := dbtest.StartServer(t)
	shop.postgres = server.Config()
	here, there := shop.start(), shop.start()
	known, unknown := here.create("KNOWN"), here.create("UNKNOWN")
	get[item](here, known.path())
	// Whether a member may still act in a project is in Postgres, so only reads by anybody go on without it.
	for _, replica := range []client{here, there} {
		want[any](replica.as(""), http.StatusOK, http.MethodGet, "/products", "")
	}

	server.Stop()
	for _, replica := range []client{here.as(""), there.as("")} { // from its process, and from Redis
		get[item](replica, known.path())
		want[any](replica, http.StatusNotModified, http.MethodGet, known.path(), "", `If-None-Match: "1"`)
	}
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, unknown.path(), ""},
		{http.MethodGet, "/products?limit=7", ""}, // which nobody has asked for
		{http.MethodPost, "/products", document("NEW")},
		{http.MethodPost, "/products/bulk", `{"products":[` + document("NEW") + `]}`},
		{http.MethodPatch, known.path(), `{"name":"new"}`},
		{http.MethodDelete, known.path(), ""},
	} {
		w := here.do(request.method, request.path, request.body)
		wantProblem(t, w, http.StatusServiceUnavailable, "database_unavailable")
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", request.method, request.path)
		}
	}
	platformtest.Eventually(t, time.Minute, "the service is not ready", func() bool { // the answer is shared for a second
		return here.do(http.MethodGet, "/ready", "").Code == http.StatusServiceUnavailable
	})
	if w := here.do(http.MethodGet, "/health", ""); w.Code != http.StatusOK {
		t.Errorf("not alive without Postgres: %s", w.Body)
	}

	server.Restart()
	platformtest.Eventually(t, time.Minute, "the service is ready again", func() bool {
		return here.do(http.MethodGet, "/ready", "").Code == http.StatusOK
	})
	get[item](here, unknown.path())
	want[item](here, http.StatusOK, http.MethodPatch, known.path(), `{"name":"new"}`)
}
