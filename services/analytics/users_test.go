package analytics_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

func newFixtureWith(t *testing.T, change func(*analytics.Config)) *fixture {
	t.Helper()
	database := dbtest.New(t)
	return newFixtureOn(t, database.Config(), database.Pool(""), redistest.New(t), change)
}

// A user sees what others look at, and never what is sold, whoever filled the cache. Analysts see both.
func TestUsersSeeNoSales(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.product(1)
	f.count(id, "2026-01-01", 0, 10, 3, 1, 4)
	user, analyst := f.auth.Token(authn.User, uuid.NewString()), f.auth.Token(authn.Analyst, uuid.NewString())
	const days = "from=2026-01-01&to=2026-01-02"
	for _, path := range []string{"/analytics/products/top?" + days, "/analytics/products/" + id.String() + "/timeseries?" + days} {
		for _, credential := range []string{analyst, user, analyst, user} {
			w := f.get(path, credential)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"views":10`) {
				t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
			}
			for _, name := range []string{`"purchases"`, `"units"`, `"revenue"`} {
				if shown := strings.Contains(w.Body.String(), name); shown != (credential == analyst) {
					t.Errorf("GET %s: %s shown: %t (analyst: %t)", path, name, shown, credential == analyst)
				}
			}
		}
	}
	for metric, status := range map[string]int{
		"views": 200, "add_to_carts": 200, "unique_users": 200, "purchases": 403, "units": 403,
		"gross_minor": 403, "refunded_minor": 403, "net_minor": 403,
	} {
		if w := f.get("/analytics/products/top?metric="+metric, user); w.Code != status {
			t.Errorf("metric %s as user: %d, want %d: %s", metric, w.Code, status, w.Body)
		}
		if w := f.get("/analytics/products/top?metric="+metric, analyst); w.Code != http.StatusOK {
			t.Errorf("metric %s as analyst: %d", metric, w.Code)
		}
	}
}

func TestClosedToUsers(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(cfg *analytics.Config) { cfg.OpenToUsers = false })
	id := f.product(1)
	user, analyst := f.auth.Token(authn.User, uuid.NewString()), f.auth.Token(authn.Analyst, uuid.NewString())
	for _, path := range []string{"/analytics/products/top", "/analytics/products/" + id.String() + "/timeseries"} {
		if w := f.get(path, user); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "closed_to_users") {
			t.Errorf("GET %s as user: %d %s", path, w.Code, w.Body)
		}
		if w := f.get(path, analyst); w.Code != http.StatusOK {
			t.Errorf("GET %s as analyst: %d", path, w.Code)
		}
	}
	if w := f.get("/analytics/users/me/summary", user); w.Code != http.StatusOK {
		t.Errorf("own summary: %d %s", w.Code, w.Body)
	}
}

// A caller that asks expensive questions again and again runs into its own quota; answers from the cache cost nothing, and
// other callers are not concerned, even if they ask the same.
func TestExpensiveAnswersUseUpTheQuota(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(cfg *analytics.Config) { cfg.CostLimit = 50 * 90 })
	heavy := func(n int) string {
		return fmt.Sprintf("/analytics/products/top?metric=unique_users&limit=%d&from=2026-01-01&to=2026-03-31", n)
	}
	greedy, other := f.auth.Token(authn.Analyst, uuid.NewString()), f.auth.Token(authn.Analyst, uuid.NewString())
	for range 3 {
		if w := f.get(heavy(1), greedy); w.Code != http.StatusOK {
			t.Fatalf("within the quota: %d %s", w.Code, w.Body)
		}
	}
	w := f.get(heavy(2), greedy)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("over the quota: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := f.get(heavy(2), other); w.Code != http.StatusOK {
		t.Errorf("another caller: %d %s", w.Code, w.Body)
	}
	if w := f.get(heavy(2), greedy); w.Code != http.StatusOK {
		t.Errorf("what is cached by now: %d %s", w.Code, w.Body)
	}
}

// A ranking by users merges a bounded number of sketches, and says when that was not enough to be exact.
func TestTopByUsersIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := 1; n <= 60; n++ { // the products with the most rows have the fewest users
		f.count(f.product(n), "2026-01-01", 0, 1000-n, 0, 1, 3)
	}
	f.count(f.product(1000), "2026-01-01", 0, 80, 0, 1, 80)
	for query, want := range map[string]struct {
		exact bool
		first string
	}{
		"from=2026-01-01&to=2026-01-01": {exact: true, first: "sku-1000"}, // 20,000 products may be compared
		"from=2025-01-01&to=2026-01-31": {exact: false, first: "sku-1"},   // 396 days: 50 products
	} {
		var top api.TopProducts
		f.into("/analytics/products/top?metric=unique_users&limit=2&"+query, &top)
		if len(top.Items) != 2 || top.Exact != want.exact || top.Items[0].Product.SKU != want.first {
			text, _ := json.Marshal(top)
			t.Errorf("%s: %s, want %+v", query, text, want)
		}
	}
}
