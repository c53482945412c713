package rollup_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

var (
	shoe = uuid.MustParse("00000000-0000-7000-8000-000000000001")
	sock = uuid.MustParse("00000000-0000-7000-8000-000000000002")
)

func TestDays(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for moment, want := range map[time.Time]time.Time{
		midnight:                        midnight,
		midnight.Add(-time.Microsecond): midnight.AddDate(0, 0, -1),
		midnight.Add(24*time.Hour - 1):  midnight,
		midnight.Add(time.Hour).In(time.FixedZone("", -5*3600)):    midnight, // still the day before on a wall there
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC): time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC):              time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC),
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC):                time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := rollup.DayOf(moment).Time(); !got.Equal(want) {
			t.Errorf("%s is of day %s, want %s", moment, got, want)
		}
	}
}

func TestDeltas(t *testing.T) {
	t.Parallel()
	d := rollup.New()
	if !d.Empty() {
		t.Error("new deltas are not empty")
	}
	first, second := rollup.DayOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), rollup.DayOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	for _, e := range []rollup.Event{
		{sock, first, "bob", stats.TypeView},
		{shoe, second, "ada", stats.TypeView},
		{shoe, first, "ada", stats.TypeView},
		{shoe, first, "ada", stats.TypeClick},
		{shoe, first, "bob", stats.TypeAddToCart},
		{shoe, first, "bob", "search"},
		{shoe, first, "ada", "search"},
		{sock, first, "bob", "search"},
	} {
		d.AddEvent(e)
	}
	d.AddPurchase(rollup.Purchase{ProductID: shoe, Day: first, UserID: "eve", Quantity: 3, AmountMinor: 900})
	if d.Empty() {
		t.Error("deltas with rows are empty")
	}

	type product struct {
		Key    rollup.ProductDay
		Counts stats.Counts
	}
	var products []product
	for key, counts := range d.Products() {
		products = append(products, product{key, *counts})
	}
	want := []product{ // in key order, which is what keeps two folds from a deadlock
		{rollup.ProductDay{ProductID: shoe, Day: first}, stats.Counts{stats.Events: 5, stats.Views: 1, stats.Clicks: 1, stats.AddToCarts: 1, stats.Purchases: 1, stats.Units: 3, stats.RevenueMinor: 900}},
		{rollup.ProductDay{ProductID: shoe, Day: second}, stats.Counts{stats.Events: 1, stats.Views: 1}},
		{rollup.ProductDay{ProductID: sock, Day: first}, stats.Counts{stats.Events: 2, stats.Views: 1}},
	}
	if diff := cmp.Diff(want, products); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}

	users := map[rollup.UserDay]stats.Counts{}
	for key, counts := range d.Users() {
		users[key] = *counts
	}
	if diff := cmp.Diff(map[rollup.UserDay]stats.Counts{
		{UserID: "ada", Day: first}:  {stats.Events: 3, stats.Views: 1, stats.Clicks: 1},
		{UserID: "ada", Day: second}: {stats.Events: 1, stats.Views: 1},
		{UserID: "bob", Day: first}:  {stats.Events: 4, stats.Views: 1, stats.AddToCarts: 1},
		{UserID: "eve", Day: first}:  {stats.Purchases: 1, stats.Units: 3, stats.RevenueMinor: 900},
	}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}

	days := map[rollup.Day]stats.Counts{}
	for day, counts := range d.Days() {
		days[day] = *counts
	}
	if diff := cmp.Diff(map[rollup.Day]stats.Counts{
		first:  {stats.Events: 7, stats.Views: 2, stats.Clicks: 1, stats.AddToCarts: 1, stats.Purchases: 1, stats.Units: 3, stats.RevenueMinor: 900},
		second: {stats.Events: 1, stats.Views: 1},
	}, days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}

	types := maps.Collect(d.Types())
	if diff := cmp.Diff(map[rollup.ProductTypeDay]int64{
		{ProductID: shoe, Day: first, Type: "search"}: 2,
		{ProductID: sock, Day: first, Type: "search"}: 1,
	}, types); diff != "" {
		t.Errorf("custom types (-want +got):\n%s", diff)
	}
	dayTypes := maps.Collect(d.DayTypes())
	if diff := cmp.Diff(map[rollup.TypeDay]int64{{Day: first, Type: "search"}: 3}, dayTypes); diff != "" {
		t.Errorf("custom types over all products (-want +got):\n%s", diff)
	}

	var estimates []int64
	for _, s := range d.ProductUsers() {
		estimates = append(estimates, s.Estimate())
	}
	for _, s := range d.DayUsers() {
		estimates = append(estimates, s.Estimate())
	}
	if want := []int64{3, 1, 1, 3, 1}; !slices.Equal(estimates, want) { // shoe on both days, sock; both days
		t.Errorf("unique users %v, want %v", estimates, want)
	}
}
