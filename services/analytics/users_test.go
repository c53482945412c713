package analytics_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

// Every computed answer is charged, whatever is asked for.
func TestEveryComputedAnswerIsCharged(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(cfg *analytics.Config) { cfg.CostLimit, cfg.CacheTTL = 1, time.Hour }) // one answer is always possible
	f.product(1)
	for _, path := range []string{
		"/analytics/products/top?", "/analytics/products/timeseries?sku=sku-1&", "/analytics/users/somebody/summary?", "/analytics/users/me/summary?",
		"/analytics/users/top?", "/analytics/overview?", "/analytics/events?", "/analytics/events/timeseries?type=view&",
	} {
		caller := f.auth.Token(authn.Analyst, uuid.NewString())
		for _, c := range []struct {
			day    string
			status int
		}{{"2026-01-01", http.StatusOK}, {"2026-01-02", http.StatusTooManyRequests}, {"2026-01-01", http.StatusOK}} {
			if w := f.get(path+"from="+c.day+"&to="+c.day, caller); w.Code != c.status {
				t.Errorf("GET %s on %s: %d, want %d: %s", path, c.day, w.Code, c.status, w.Body)
			}
		}
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

// A key reads the project that it belongs to, and a member the one that the header names, in its time zone and currency.
func TestCallersReadTheirProject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.count(f.product(1), "2026-01-01", 0, 10, 3, 1, 4)
	f.exec(`INSERT INTO auth.projects (slug, name, time_zone, currency) VALUES ('other', 'Other', 'Asia/Kolkata', 'INR')`)
	var other int16
	if err := f.db.QueryRow(t.Context(), `SELECT id FROM auth.projects WHERE slug = 'other'`).Scan(&other); err != nil {
		t.Fatal(err)
	}
	key := f.apiKey("other's", "read")
	f.exec(`UPDATE auth.api_keys SET project = $1 WHERE name = 'other''s'`, other)
	member := uuid.NewString()
	token := f.auth.Token(authn.Analyst, member)
	f.auth.Join(other, authn.Viewer, member)
	for _, c := range []struct {
		credential, project string
		items               int
		zone, currency      string
	}{
		{f.apiKey("default's", "read"), "", 1, "UTC", "EUR"}, {key, "", 0, "Asia/Kolkata", "INR"},
		{token, "default", 1, "UTC", "EUR"}, {token, "other", 0, "Asia/Kolkata", "INR"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/analytics/products/top?metric=gross_minor&from=2026-01-01&to=2026-01-01", nil)
		r.Header.Set("Authorization", "Bearer "+c.credential)
		if c.project != "" {
			r.Header.Set("Project", c.project)
		}
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		var top api.TopProducts
		if err := json.Unmarshal(w.Body.Bytes(), &top); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%+v: %d %s", c, w.Code, w.Body)
		}
		if len(top.Items) != c.items || top.Meta.TimeZone != c.zone || *top.Currency != c.currency {
			t.Errorf("%+v: %d items, %s, %s", c, len(top.Items), top.Meta.TimeZone, *top.Currency)
		}
	}
}
