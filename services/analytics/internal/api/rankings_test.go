package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// A ranking of many products is paged to its end, by every kind of number: nothing is missing and nothing comes twice, with
// ties at the ends of pages.
func TestRankingsArePagedToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "UTC", "EUR")
	const products = 250
	name := shop.name("商品を見た")
	w.exec(`
		INSERT INTO catalog.products (id, project, sku, name, category, price_minor, currency)
		SELECT gen_random_uuid(), $1, 'sku-' || i, 'x', CASE WHEN i % 2 = 0 THEN 'even' ELSE '' END, 1, 'EUR' FROM generate_series(1, $2::int) AS i`, shop.ID, products)
	w.exec(`
		INSERT INTO stats.product_daily_stats (project, product, day, lane, events, views, purchases)
		SELECT $1, n, '2026-01-01', 0, 100 + n % 7, n % 7 + 1, 1 FROM catalog.products WHERE project = $1`, shop.ID)
	w.exec(`
		INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor, refunded_minor)
		SELECT $1, n, '2026-01-01', 'EUR', 0, n % 5, 2 FROM catalog.products WHERE project = $1`, shop.ID)
	w.exec(`INSERT INTO stats.daily_revenue (project, day, currency, lane) VALUES ($1, '2026-01-01', 'EUR', 0)`, shop.ID)
	w.exec(`
		INSERT INTO stats.product_name_daily_stats (project, product, name, day, lane, events)
		SELECT $1, n, $2, '2026-01-01', 0, n % 3 + 1 FROM catalog.products WHERE project = $1`, shop.ID, name)
	for n := range int64(products) {
		product := shop.number(fmt.Sprintf("sku-%d", n+1))
		for user := range n%4 + 1 {
			shop.sketch("product_daily_users", []string{"product", "day"}, []any{product, "2026-01-01"}, 1000+user)
		}
	}
	for query, want := range map[string]int{
		"metric=views": products, "metric=net_minor": products * 4 / 5, "metric=unique_users": products,
		"type=" + url.QueryEscape("商品を見た"): products, "type=view": products, "metric=views&category=even": products / 2,
		"type=never+seen": 0, "metric=clicks": 0,
	} {
		path := "/analytics/products/top?from=2026-01-01&to=2026-01-01&limit=40&" + query
		seen, last, cursor := map[string]bool{}, int64(1<<62), ""
		for {
			page := ask[api.TopProducts](shop, path+cursor)
			for _, item := range page.Items {
				if seen[item.Product.SKU] || item.Value > last || item.Rank != len(seen)+1 || item.Value == 0 {
					t.Errorf("%s: %s has rank %d with %d after %d places, the last with %d", query, item.Product.SKU, item.Rank, item.Value, len(seen), last)
				}
				seen[item.Product.SKU], last = true, item.Value
			}
			if total := page.Totals.Purchases; total != products && !strings.Contains(query, "even") || strings.Contains(query, "even") && total != products/2 {
				t.Errorf("%s: totals %+v", query, page.Totals)
			}
			if page.NextCursor == nil {
				break
			}
			if len(page.Items) != 40 {
				t.Fatalf("%s: a page of %d places is followed by another", query, len(page.Items))
			}
			cursor = "&cursor=" + *page.NextCursor
		}
		if len(seen) != want {
			t.Errorf("%s: %d places, want %d", query, len(seen), want)
		}
	}
}

// number returns the number of a product by its SKU.
func (p *project) number(sku string) int64 {
	p.w.t.Helper()
	return p.w.number(`SELECT n FROM catalog.products WHERE project = $1 AND sku = $2`, p.ID, sku)
}

func TestCursorsBelongToTheirRanking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, other := w.project("shop", "UTC", "EUR"), w.project("other", "UTC", "EUR")
	for _, p := range []*project{shop, other} {
		for i, name := range []string{"a", "b"} {
			p.event(name, name, name, p.at("2026-01-01 12:00"), i+1)
		}
	}
	const days = "from=2026-01-01&to=2026-01-01&limit=1"
	for path, next := range map[string]*string{
		"/analytics/products/top?" + days: ask[api.TopProducts](shop, "/analytics/products/top?"+days+"&metric=events").NextCursor,
		"/analytics/users/top?" + days:    ask[api.TopUsers](shop, "/analytics/users/top?"+days).NextCursor,
		"/analytics/events?" + days:       ask[api.EventNames](shop, "/analytics/events?"+days).NextCursor,
	} {
		if next == nil {
			t.Fatalf("%s has no second page", path)
		}
		same := path
		if strings.Contains(path, "products") {
			same += "&metric=events"
		}
		for _, c := range []struct {
			credential, path string
			status           int
			code             string
		}{
			{"shop", same + "&cursor=" + *next, http.StatusOK, ""},
			{"shop", strings.Replace(same, "limit=1", "limit=100", 1) + "&cursor=" + *next, http.StatusOK, ""},
			{"other", same + "&cursor=" + *next, http.StatusUnprocessableEntity, "cursor_mismatch"},
			{"shop", strings.Replace(same, "to=2026-01-01", "to=2026-01-02", 1) + "&cursor=" + *next, http.StatusUnprocessableEntity, "cursor_mismatch"},
			{"shop", same + "&cursor=" + (*next)[1:], http.StatusUnprocessableEntity, "invalid_cursor"},
		} {
			got := w.get(c.credential, c.path)
			if got.Code != c.status || !strings.Contains(got.Body.String(), c.code) {
				t.Errorf("GET %s as %s: %d, want %d %s: %s", c.path, c.credential, got.Code, c.status, c.code, got.Body)
			}
		}
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Asia/Kolkata", "EUR")
	at := shop.at("2026-03-10 23:45")
	counts := []struct {
		name string
		n    int
	}{{"view", 9}, {"Signed Up", 8}, {"$pageview", 7}, {"商品を見た", 6}, {`a "b" & c/d?`, 5}, {"click", 4}, {"add_to_cart", 3}}
	for _, c := range counts {
		for user := range 3 {
			shop.event(fmt.Sprintf("u%d", user), c.name, "", at, c.n)
		}
		shop.event("u9", c.name, "", shop.at("2026-03-11 00:15"), 1)
	}
	shop.name("never sent in the range")
	const days = "from=2026-03-10&to=2026-03-10"
	var got []string
	cursor := ""
	for range counts {
		page := ask[api.EventNames](shop, "/analytics/events?limit=3&"+days+cursor)
		for _, item := range page.Items {
			got = append(got, fmt.Sprintf("%d %s %d by %d", item.Rank, item.Type, item.Events, item.UniqueUsers))
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	var want []string
	for i, c := range counts {
		want = append(want, fmt.Sprintf("%d %s %d by 3", i+1, c.name, 3*c.n))
		series := ask[api.EventSeries](shop, "/analytics/events/timeseries?from=2026-03-09&to=2026-03-11&type="+url.QueryEscape(c.name))
		numbers := []int64{series.Points[0].Events, series.Points[1].Events, series.Points[2].Events, *series.Points[1].UniqueUsers, series.Totals.Events, series.Totals.UniqueUsers}
		if diff := cmp.Diff([]int64{0, int64(3 * c.n), 1, 3, int64(3*c.n + 1), 4}, numbers); diff != "" || series.Type != c.name {
			t.Errorf("%s, %s (-want +got):\n%s", c.name, series.Type, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if unknown := ask[api.EventSeries](shop, "/analytics/events/timeseries?type=no+such&"+days); unknown.Totals.Events != 0 || len(unknown.Points) != 1 {
		t.Errorf("an unknown name: %+v", unknown)
	}
	if got := w.get("shop", "/analytics/events/timeseries?type=a%0Ab"); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), `"/query/type"`) {
		t.Errorf("a name that no event has: %d %s", got.Code, got.Body)
	}
}

// The numbers of an anonymous id that was identified are those of its user; others are users of their own.
func TestJoinedUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "UTC", "EUR")
	at := shop.at("2026-01-01 12:00")
	shop.event("ada", "view", "sku", at, 1)
	shop.event("anon-1", "view", "sku", at, 10)
	shop.event("anon-2", "click", "sku", shop.at("2026-01-02 12:00"), 100)
	shop.order("ada", "sku", "EUR", 1, 500, at)
	shop.event("bob", "view", "sku", at, 50)
	shop.event("anon-3", "view", "sku", at, 7)
	shop.join("anon-1", "ada")
	shop.join("anon-2", "ada")
	const days = "from=2026-01-01&to=2026-01-02"
	summary := ask[api.UserSummary](shop, "/analytics/users/ada/summary?"+days)
	if summary.Totals.Events != 111 || summary.Totals.Views != 11 || summary.Totals.UniqueUsers != 1 || len(summary.Days) != 2 || summary.Days[0].Events != 11 {
		t.Errorf("%+v", summary)
	}
	var got []string
	for _, item := range ask[api.TopUsers](shop, "/analytics/users/top?"+days).Items {
		id := "anonymous "
		if item.UserID != nil {
			id = *item.UserID
		} else {
			id += *item.AnonymousID
		}
		got = append(got, fmt.Sprintf("%d %s %d %d %d", item.Rank, id, item.Value, item.Counts.Views, item.Counts.Purchases))
	}
	if diff := cmp.Diff([]string{"1 ada 111 11 1", "2 bob 50 50 0", "3 anonymous anon-3 7 7 0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Another user cannot be asked for by an anonymous id: equal texts are different users.
	if other := ask[api.UserSummary](shop, "/analytics/users/anon-3/summary?"+days); other.Totals.Events != 0 {
		t.Errorf("%+v", other)
	}
}

// Texts of any script name users and SKUs, in the normal form that ingest stores.
func TestTextsOfTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "UTC", "EUR")
	at := shop.at("2026-01-01 12:00")
	const days = "from=2026-01-01&to=2026-01-01"
	for i, text := range []string{"BANK CHARGES", "A#12", `9/16" nut`, "größe-42", "商品-1", "ü-😀", "张伟", "a b", strings.Repeat("ü", 100), "100%", "a+b", "%41"} {
		shop.event(text, "view", text, at, i+1)
		if series := ask[api.Series](shop, "/analytics/products/timeseries?"+days+"&sku="+url.QueryEscape(text)); series.Totals.Views != int64(i+1) || series.Product.SKU != text {
			t.Errorf("SKU %q: %+v", text, series.Totals)
		}
		if summary := ask[api.UserSummary](shop, "/analytics/users/"+url.PathEscape(text)+"/summary?"+days); summary.Totals.Views != int64(i+1) || summary.UserID != text {
			t.Errorf("user %q: %+v", text, summary)
		}
	}
	if series := ask[api.Series](shop, "/analytics/products/timeseries?"+days+"&sku="+url.QueryEscape("gro\u0308ße-42 ")); series.Product.SKU != "größe-42" {
		t.Errorf("another form of a SKU: %+v", series.Product)
	}
	for path, pointer := range map[string]string{
		"/analytics/products/timeseries?sku=a%09b": "/query/sku", "/analytics/products/timeseries": "/query/sku", "/analytics/users/%20/summary": "/path/id",
		"/analytics/products/timeseries?sku=" + url.QueryEscape(strings.Repeat("ü", 101)): "/query/sku",
	} {
		if got := w.get("shop", path); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), `"`+pointer+`"`) {
			t.Errorf("GET %s: %d %s", path, got.Code, got.Body)
		}
	}
}
