package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// The tests in this file repeat requests that are answered ahead of the router, and change what the answer depends on. The service
// keeps answers for much longer than in production, so that nothing else ends them.

// hot returns a world with a project whose product "sku" has an event of the user "u".
func hot(t *testing.T) (*world, *project) {
	t.Helper()
	w := newWorldKeeping(t, time.Hour)
	platformtest.Go(t, w.cache.Run)
	channel := redistest.Key(t, w.client, "analytics:changes")
	platformtest.Eventually(t, 10*time.Second, "the cache hears of changes, so that it may keep answers", func() bool {
		heard, err := w.client.PubSubNumSub(t.Context(), channel).Result()
		return err == nil && heard[channel] == 1
	})
	shop := w.project("shop", "Europe/Berlin", "EUR")
	shop.event("u", "view", "sku", shop.at("2026-01-01 12:00"), 3)
	return w, shop
}

// ahead asks until a request is answered ahead of the router, and returns that answer.
func (w *world) ahead(credential, path string, headers ...string) (answer *httptest.ResponseRecorder) {
	w.t.Helper()
	platformtest.Eventually(w.t, 10*time.Second, path+" is answered ahead of the router", func() bool {
		before := w.routed.Load()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+credential)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer = w.serve(r)
		return w.routed.Load() == before
	})
	return answer
}

const hotDays = "from=2026-01-01&to=2026-01-01"

// reports returns the paths of all reports of a project.
func (p *project) reports() []string {
	return []string{
		"/analytics/products/top?" + hotDays, "/analytics/products/" + p.id("sku") + "/timeseries?" + hotDays,
		"/analytics/products/timeseries?sku=sku&" + hotDays, "/analytics/overview?" + hotDays, "/analytics/events?" + hotDays,
		"/analytics/events/timeseries?type=view&" + hotDays, "/analytics/users/top?" + hotDays, "/analytics/users/u/summary?" + hotDays,
		"/analytics/users/me/summary?" + hotDays,
	}
}

func TestHotReports(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	shop.calls("u", authn.Principal{Subject: "v", Role: authn.Analyst})
	for _, path := range shop.reports() {
		fresh := w.get("u", path)
		got := w.ahead("u", path)
		tag := got.Header().Get("ETag")
		if fresh.Header().Get("ETag") != "W/"+tag || strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: the tag of the first answer is %s, of the second %s", path, fresh.Header().Get("ETag"), tag)
		}
		want := strings.Replace(fresh.Body.String(), `"cached":false`, `"cached":true`, 1)
		if fresh.Body.String() == want || got.Body.String() != want {
			t.Errorf("%s: first %s then %s", path, fresh.Body, got.Body)
		}
		if got.Header().Get("Cache-Control") != "private, no-cache" || !strings.HasPrefix(got.Header().Get("Vary"), "Accept") {
			t.Errorf("%s: header %v", path, got.Header())
		}
		for _, known := range []string{tag, fresh.Header().Get("ETag")} {
			if again := w.ahead("u", path, "If-None-Match", known); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("%s: status %d for the tag %s", path, again.Code, known)
			}
		}
		csv := w.getAs("u", path, "text/csv")
		if csv.Header().Get("ETag") != "" || !strings.HasPrefix(csv.Header().Get("Content-Type"), "text/csv") {
			t.Errorf("%s as CSV: header %v", path, csv.Header())
		}
		if other := w.get("u", path+"&nothing=1"); other.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d with an unknown parameter", path, other.Code)
		}
	}
	w.handler = w.routes // the checker reads no gzip
	long := w.ahead("u", "/analytics/overview?from=2026-01-01&to=2026-01-31", "Accept-Encoding", "gzip")
	if long.Header().Get("Content-Encoding") != "gzip" || long.Header().Get("Vary") != "Accept, Accept-Encoding" {
		t.Errorf("a long answer: header %v", long.Header())
	}
}

func TestHotReportsShowFolds(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	for path, field := range map[string]string{
		"/analytics/products/top?" + hotDays: protocol.ProjectField(shop.ID),
		"/analytics/products/" + shop.id("sku") + "/timeseries?" + hotDays: protocol.ProductField(
			int32(w.number(`SELECT n FROM catalog.products WHERE project = $1 AND sku = 'sku'`, shop.ID))),
		"/analytics/users/u/summary?" + hotDays: protocol.UserField(w.number(`SELECT n FROM ingest.users WHERE project = $1 AND id = 'u'`, shop.ID)),
	} {
		before := w.ahead("shop", path).Body.String()
		for _, table := range []string{"product_daily_stats", "user_daily_stats"} {
			w.exec(`UPDATE stats.`+table+` SET views = views + 1000 WHERE project = $1`, shop.ID)
		}
		versions := redistest.Key(t, w.client, protocol.VersionsKey)
		if err := w.client.HSet(t.Context(), versions, field, uuid.NewString()).Err(); err != nil {
			t.Fatal(err)
		}
		platformtest.Eventually(t, 10*time.Second, path+" shows the fold", func() bool {
			return w.get("shop", path).Body.String() != before
		})
	}
}

// What a name stands for can change without a fold.
func TestHotReportsFollowNames(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	shop.event("u", "view", "other", shop.at("2026-01-01 12:00"), 40)
	path := "/analytics/products/timeseries?sku=sku&" + hotDays
	if got := w.ahead("shop", path).Body.String(); !strings.Contains(got, `"views":3}`) {
		t.Fatal(got)
	}
	w.exec(`UPDATE catalog.products SET sku = 'former' WHERE project = $1 AND sku = 'sku'`, shop.ID)
	w.exec(`UPDATE catalog.products SET sku = 'sku' WHERE project = $1 AND sku = 'other'`, shop.ID)
	platformtest.Eventually(t, 10*time.Second, "the series is that of the product that has the SKU now", func() bool {
		return strings.Contains(w.get("shop", path).Body.String(), `"views":40}`)
	})
}

func TestHotReportsEndToday(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	for _, path := range []string{"/analytics/overview", "/analytics/products/top?from=2026-01-01", "/analytics/users/u/summary", "/analytics/products/timeseries?sku=sku"} {
		w.now = shop.at("2026-01-15 23:59")
		before := w.ahead("shop", path).Body.String()
		w.now = shop.at("2026-01-16 00:00")
		got := w.get("shop", path).Body.String()
		if !strings.Contains(before, "2026-01-15") || strings.Contains(before, "2026-01-16") || !strings.Contains(got, "2026-01-16") {
			t.Errorf("%s: before midnight %s, after it %s", path, before, got)
		}
	}
}

func TestHotReportsFollowTheProject(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	const path = "/analytics/products/top?metric=gross_minor&" + hotDays
	if got := w.ahead("shop", path).Body.String(); !strings.Contains(got, `"currency":"EUR"`) || !strings.Contains(got, `"time_zone":"Europe/Berlin"`) {
		t.Fatal(got)
	}
	key := w.callers["shop"]
	key.Project.Currency = "JPY"
	w.callers["shop"] = key
	if got := w.get("shop", path).Body.String(); !strings.Contains(got, `"currency":"JPY"`) {
		t.Errorf("another currency: %s", got)
	}
	w.exec(`UPDATE stats.zones SET time_zone = 'Asia/Tokyo' WHERE project = $1`, shop.ID)
	platformtest.Eventually(t, 10*time.Second, "the answer is by another zone", func() bool {
		return strings.Contains(w.get("shop", path).Body.String(), `"time_zone":"Asia/Tokyo"`)
	})
}

func TestHotReportsFollowRights(t *testing.T) {
	t.Parallel()
	w, shop := hot(t)
	member := authn.Principal{Subject: "m", Role: authn.Analyst}
	guest := authn.Principal{Subject: "m", Role: authn.User, Guest: true}
	const top, users, me = "/analytics/products/top?" + hotDays, "/analytics/users/top?" + hotDays, "/analytics/users/me/summary?" + hotDays
	shop.calls("m", member)
	for _, path := range []string{top, users, me} {
		w.ahead("m", path)
	}
	shop.calls("m", guest)
	if got := w.get("m", top); got.Code != http.StatusOK || strings.Contains(got.Body.String(), "revenue") {
		t.Errorf("a former member: %d %s", got.Code, got.Body)
	}
	if got := w.ahead("m", top); strings.Contains(got.Body.String(), "revenue") {
		t.Errorf("a guest, ahead: %s", got.Body)
	}
	if got := w.get("shop", top); !strings.Contains(got.Body.String(), "revenue") {
		t.Errorf("the key after a guest: %s", got.Body)
	}
	if got := w.get("m", users); got.Code != http.StatusForbidden {
		t.Errorf("users for a former member: %d", got.Code)
	}
	shop.calls("other", authn.Principal{Subject: "other", Role: authn.Viewer})
	var summary api.UserSummary
	if err := json.Unmarshal(w.get("other", me).Body.Bytes(), &summary); err != nil || summary.UserID != "other" {
		t.Errorf("the own summary of another: %+v, %v", summary, err)
	}
	delete(w.callers, "m")
	if got := w.get("m", me); got.Code != http.StatusUnauthorized {
		t.Errorf("without valid credentials: %d", got.Code)
	}
}

// A caller without quota gets what costs nothing.
func TestHotReportsAreFree(t *testing.T) {
	t.Parallel()
	w, _ := hot(t)
	quota := ratelimit.New(w.client, ratelimit.Policy{Name: "analytics", Limit: 10, Window: time.Hour}, platformtest.Logger(t), prometheus.NewRegistry())
	t.Cleanup(quota.Close)
	w.server.Quotas = api.Quotas{Callers: quota, OfCaller: 10}
	const path = "/analytics/products/top?" + hotDays // costs 10
	for range 20 {
		if got := w.ahead("shop", path); got.Code != http.StatusOK {
			t.Fatalf("status %d", got.Code)
		}
	}
	if got := w.get("shop", path+"&limit=3"); got.Code != http.StatusTooManyRequests {
		t.Errorf("another question: status %d", got.Code)
	}
	if got := w.get("shop", path); got.Code != http.StatusOK {
		t.Errorf("the same question: status %d", got.Code)
	}
}
