package tally_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// The example is small enough to be counted by hand.
func TestTally(t *testing.T) {
	t.Parallel()
	s, err := shop.New(shop.Config{Events: 1, Days: 2, Products: 3, Users: 70, Now: time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	monday, tuesday := s.From.Add(24*time.Hour-time.Millisecond), s.From.Add(24*time.Hour)
	got := tally.New(s)
	for _, f := range []shop.Fact{
		{At: monday, Product: 0, User: 0, Type: shop.View},
		{At: monday, Product: 0, User: 0, Type: shop.Click},
		{At: monday, Product: 0, User: 64, Type: shop.View},
		{At: tuesday, Product: 0, User: 64, Type: shop.AddToCart},
		{At: tuesday, Product: 0, User: 64, Quantity: 3, PaidMinor: 2700},
		{At: tuesday, Product: 2, User: 0, Type: shop.Search},
		{At: tuesday, Product: 2, User: 0, Type: shop.View},
		{At: tuesday, Product: 2, User: 0, Quantity: 1, PaidMinor: 500},
	} {
		got.Add(f)
	}
	wantProducts := []tally.Counts{
		{Events: 4, Views: 2, Clicks: 1, AddToCarts: 1, Purchases: 1, Units: 3, RevenueMinor: 2700, UniqueUsers: 2},
		{},
		{Events: 2, Views: 1, Purchases: 1, Units: 1, RevenueMinor: 500, UniqueUsers: 1},
	}
	wantUsers := make([]tally.Counts, 70)
	wantUsers[0] = tally.Counts{Events: 4, Views: 2, Clicks: 1, Purchases: 1, Units: 1, RevenueMinor: 500, UniqueUsers: 1}
	wantUsers[64] = tally.Counts{Events: 2, Views: 1, AddToCarts: 1, Purchases: 1, Units: 3, RevenueMinor: 2700, UniqueUsers: 1}
	wantDays := []tally.Counts{
		{Events: 3, Views: 2, Clicks: 1},
		{Events: 3, Views: 1, AddToCarts: 1, Purchases: 2, Units: 4, RevenueMinor: 3200},
	}
	wantTotals := tally.Counts{Events: 6, Views: 3, Clicks: 1, AddToCarts: 1, Purchases: 2, Units: 4, RevenueMinor: 3200, UniqueUsers: 3}
	for _, c := range []struct {
		name      string
		want, got any
	}{
		{"products", wantProducts, got.Products},
		{"users", wantUsers, got.Users},
		{"days", wantDays, got.Days},
		{"totals", wantTotals, got.Totals},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestMeasuresNameTheirCounts(t *testing.T) {
	t.Parallel()
	c := tally.Counts{Events: 1, Views: 2, Clicks: 3, AddToCarts: 4, Purchases: 5, Units: 6, RevenueMinor: 7, UniqueUsers: 8}
	c.Add(c)
	for i, m := range tally.Measures() {
		if got := m.Of(c); got != 2*int64(i+1) {
			t.Errorf("%s = %d, want %d", m, got, 2*(i+1))
		}
	}
}
