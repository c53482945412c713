package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// Two projects have the same SKU, user id, anonymous id and event names, on the same days. Each answer has the numbers of the
// caller's project, from the cache as well.
func TestProjectsNeverMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.project("one", "UTC", "EUR"), w.project("two", "UTC", "EUR")
	numbers := map[*project]int64{one: 1, two: 100}
	for _, p := range []*project{one, two} {
		n := numbers[p]
		at := p.at("2026-01-05 12:00")
		p.event("user", "view", "sku", at, int(2*n))
		p.event("user", "Signed Up", "sku", at, int(3*n))
		p.event("anon", "Signed Up", "", at, int(5*n))
		p.join("anon", "user")
		p.order("user", "sku", "EUR", 7*n, 1000*n, at)
		p.refund("user", "sku", "EUR", n, 300*n, at)
	}
	const days = "from=2026-01-05&to=2026-01-05"
	for range 2 { // the second time from the cache
		for _, p := range []*project{one, two} {
			n := numbers[p]
			revenue := []api.Revenue{{Currency: "EUR", GrossMinor: 1000 * n, RefundedMinor: 300 * n, NetMinor: 700 * n, Orders: 1, Units: 7 * n}}
			ofProduct := api.Counts{Events: 5 * n, Views: 2 * n, Purchases: 1, Units: 7 * n, Revenue: revenue, UniqueUsers: 1}
			ofUser := api.Counts{Events: 10 * n, Views: 2 * n, Purchases: 1, Units: 7 * n, Revenue: revenue, UniqueUsers: 1, UniqueUsersExact: true}
			ofAll := ofUser
			ofAll.UniqueUsers = 2 // an anonymous id is a user of its own on the day on which it is identified
			series := ask[api.Series](p, "/analytics/products/timeseries?sku=sku&"+days)
			got := map[string]any{
				"top":      ask[api.TopProducts](p, "/analytics/products/top?"+days).Items[0].Counts,
				"by type":  ask[api.TopProducts](p, "/analytics/products/top?type=Signed+Up&"+days).Items[0].Value,
				"by money": ask[api.TopProducts](p, "/analytics/products/top?metric=net_minor&"+days).Items[0].Value,
				"category": ask[api.TopProducts](p, "/analytics/products/top?category=sku&"+days).Totals.Revenue,
				"series":   series.Totals,
				"by id":    ask[api.Series](p, "/analytics/products/"+p.id("sku")+"/timeseries?"+days).Totals,
				"by hour":  ask[api.Series](p, "/analytics/products/"+p.id("sku")+"/timeseries?interval=hour&"+days).Points[12].Revenue,
				"summary":  ask[api.UserSummary](p, "/analytics/users/user/summary?"+days).Totals,
				"users":    ask[api.TopUsers](p, "/analytics/users/top?"+days).Items[0].Counts,
				"overview": ask[api.Overview](p, "/analytics/overview?"+days).Totals,
				"names":    ask[api.EventNames](p, "/analytics/events?"+days).Items[0].Events,
				"event":    ask[api.EventSeries](p, "/analytics/events/timeseries?type=Signed+Up&"+days).Totals.Events,
			}
			want := map[string]any{
				"top": ofProduct, "by type": 3 * n, "by money": 700 * n, "category": revenue, "series": ofProduct, "by id": ofProduct, "by hour": revenue,
				"summary": ofUser, "users": ofUser, "overview": ofAll, "names": 8 * n, "event": 8 * n,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.Slug, diff)
			}
			if fmt.Sprint(series.Product.ID) != p.id("sku") {
				t.Errorf("%s: the series is of product %s", p.Slug, series.Product.ID)
			}
		}
	}
	two.product("only two")
	for _, path := range []string{
		"/analytics/products/" + two.id("sku") + "/timeseries", "/analytics/products/timeseries?sku=only+two",
	} {
		if got := w.get("one", path); got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), "unknown_product") {
			t.Errorf("GET %s in another project: %d %s", path, got.Code, got.Body)
		}
	}
	// TestLiveIsComplete compares the stream. Links are of one project, and tests of their own compare them. The system
	// is that of all projects.
	if missing := w.checker.Missing("analytics"); !cmp.Equal(missing, []string{"getSystem", "liveEvents", "mySummary", "sharedOverview", "sharedProduct"}) {
		t.Errorf("operations that were not compared: %v", missing)
	}
}
