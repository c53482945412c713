package catalog_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
)

// othersSee is how long a change may take to be seen on other replicas: the second that an entry lives in the process,
// and what a busy test machine adds. In Redis entries live for a minute in these tests.
const othersSee = 3 * time.Second

// wantSoon waits until c sees a version, and fails when that takes longer than it may.
func wantSoon(c client, path string, version int64) {
	c.t.Helper()
	platformtest.Eventually(c.t, othersSee, "the change is seen", func() bool { return get[item](c, path).Version == version })
}

func TestChangesAreSeen(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	changes := []func(){
		func() { want[item](here, http.StatusOK, http.MethodPatch, shoe.path(), `{"name":"new"}`) },
		func() {
			want[bulkResult](here, http.StatusOK, http.MethodPost, "/products/bulk", `{"products":[`+document("A")+`]}`)
		},
		func() { want[any](here, http.StatusNoContent, http.MethodDelete, shoe.path(), "") },
	}
	for i, change := range changes {
		before, after := int64(i+1), int64(i+2)
		for _, replica := range []client{here, there} { // now both have it in their process
			if got := get[item](replica, shoe.path()).Version; got != before {
				t.Fatalf("before change %d: version %d", before, got)
			}
		}
		change()
		if got := get[item](here, shoe.path()).Version; got != after {
			t.Errorf("after change %d the same replica has version %d", before, got)
		}
		wantSoon(there, shoe.path(), after)
	}
}

// TestReadsAreCached checks that the cache is there at all: a row that changes behind its back is not seen.
func TestReadsAreCached(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	get[item](here, shoe.path())
	shop.execute(`UPDATE catalog.products SET name = 'behind', version = 7`)
	for name, replica := range map[string]client{"process": here, "Redis": there} {
		if got := get[item](replica, shoe.path()); got.Version != 1 {
			t.Errorf("the cache in %s was not asked: version %d", name, got.Version)
		}
	}
}

func TestRedisWiped(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	get[item](there, shoe.path())
	wipe := redistest.Client(t, shop.redis)
	for version := int64(2); version < 4; version++ {
		if err := wipe.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		want[item](here, http.StatusOK, http.MethodPatch, shoe.path(), fmt.Sprintf(`{"price_minor":%d}`, version))
		if err := wipe.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if got := get[item](here, shoe.path()).Version; got != version {
			t.Errorf("the same replica has version %d, want %d", got, version)
		}
		wantSoon(there, shoe.path(), version)
	}
}

// TestSlowReaderBringsNothingBack lets a replica read a product before a change and put it into Redis after it.
func TestSlowReaderBringsNothingBack(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	here, there := shop.start(), shop.start()
	shoe := here.create("A")
	old := here.do(http.MethodGet, shoe.path(), "").Body.Bytes()
	redis := redistest.Client(t, shop.redis)
	if err := redis.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	slow := cache.New(cache.Options{Name: "products", LocalTTL: time.Second, RedisTTL: time.Minute, MaxBytes: 1 << 20, Reply: api.ProductHeaders},
		redis, platformtest.Logger(t), prometheus.NewRegistry())
	_, err := slow.Get(t.Context(), cache.Key{Name: "1:" + shoe.ID}, func(context.Context) (cache.Entry, error) {
		want[item](here, http.StatusOK, http.MethodPatch, shoe.path(), `{"name":"new"}`) // while the slow one holds the old row
		return cache.Entry{Version: 1, Body: old}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, replica := range map[string]client{"same": here, "other": there} {
		if got := get[item](replica, shoe.path()); got.Version != 2 {
			t.Errorf("the %s replica has version %d again", name, got.Version)
		}
	}
}
