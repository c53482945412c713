package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

// One user buys for 50,000 JPY and 400.00 EUR, returns a part, and pays in dinars of 1,000 parts.
func TestCurrenciesAreNeverAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Europe/Berlin", "EUR")
	day, next := shop.at("2026-03-10 23:30"), shop.at("2026-03-11 00:30")
	shop.order("u", "kimono", "JPY", 1, 50000, day)
	shop.order("u", "lamp", "EUR", 3, 30000, day)
	shop.order("v", "kimono", "EUR", 1, 10000, day)
	shop.order("v", "pearl", "KWD", 1, 1234, day)
	shop.refund("u", "lamp", "EUR", 2, 20000, next)
	shop.refund("v", "kimono", "EUR", 1, 10000, next)

	money := func(currency string, gross, refunded, orders, units int64) api.Revenue {
		return api.Revenue{Currency: currency, GrossMinor: gross, RefundedMinor: refunded, NetMinor: gross - refunded, Orders: orders, Units: units}
	}
	const days = "from=2026-03-10&to=2026-03-11"
	all := []api.Revenue{money("EUR", 40000, 30000, 2, 4), money("JPY", 50000, 0, 1, 1), money("KWD", 1234, 0, 1, 1)}
	overview := ask[api.Overview](shop, "/analytics/overview?"+days)
	summary := ask[api.UserSummary](shop, "/analytics/users/u/summary?"+days)
	series := ask[api.Series](shop, "/analytics/products/"+shop.id("kimono")+"/timeseries?"+days)
	for name, c := range map[string]struct{ got, want []api.Revenue }{
		"overview":      {overview.Totals.Revenue, all},
		"first day":     {overview.Points[0].Revenue, []api.Revenue{money("EUR", 40000, 0, 2, 4), money("JPY", 50000, 0, 1, 1), money("KWD", 1234, 0, 1, 1)}},
		"refunds' day":  {overview.Points[1].Revenue, []api.Revenue{money("EUR", 0, 30000, 0, 0)}},
		"top's totals":  {ask[api.TopProducts](shop, "/analytics/products/top?"+days).Totals.Revenue, all},
		"a user":        {summary.Totals.Revenue, []api.Revenue{money("EUR", 30000, 20000, 1, 3), money("JPY", 50000, 0, 1, 1)}},
		"a user's day":  {summary.Days[1].Revenue, []api.Revenue{money("EUR", 0, 20000, 0, 0)}},
		"a product":     {series.Totals.Revenue, []api.Revenue{money("EUR", 10000, 10000, 1, 1), money("JPY", 50000, 0, 1, 1)}},
		"product's day": {series.Points[1].Revenue, []api.Revenue{money("EUR", 0, 10000, 0, 0)}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	for query, want := range map[string][]string{
		"metric=gross_minor":                 {"EUR", "lamp:30000", "kimono:10000"}, // the currency of the project
		"metric=gross_minor&currency=JPY":    {"JPY", "kimono:50000"},
		"metric=net_minor":                   {"EUR", "lamp:10000"}, // what came to nothing has no place
		"metric=refunded_minor":              {"EUR", "lamp:20000", "kimono:10000"},
		"metric=net_minor&currency=KWD":      {"KWD", "pearl:1234"},
		"metric=net_minor&currency=USD":      {"USD"},
		"metric=net_minor&category=kimono":   {"EUR"},
		"metric=gross_minor&category=kimono": {"EUR", "kimono:10000"},
		"metric=net_minor&from=2026-03-11":   {"EUR", "kimono:-10000", "lamp:-20000"},
		"metric=purchases&category=kimono":   {"", "kimono:2"},
		"metric=units":                       {"", "lamp:3", "kimono:2", "pearl:1"},
	} {
		if !strings.Contains(query, "from=") {
			query += "&from=2026-03-10"
		}
		top := ask[api.TopProducts](shop, "/analytics/products/top?to=2026-03-11&"+query)
		currency := ""
		if top.Currency != nil {
			currency = *top.Currency
		}
		got := []string{currency}
		for _, item := range top.Items {
			got = append(got, fmt.Sprintf("%s:%d", item.Product.SKU, item.Value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	users := ask[api.TopUsers](shop, "/analytics/users/top?metric=net_minor&currency=JPY&"+days)
	if len(users.Items) != 1 || *users.Items[0].UserID != "u" || users.Items[0].Value != 50000 || *users.Currency != "JPY" {
		t.Errorf("users by yen: %+v", users)
	}
}
