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
		{At: monday, Product: 0, User: 64, Quantity: 3, Currency: shop.Euro, PaidMinor: 2700, Refund: &shop.Refund{At: tuesday, Quantity: 1, PaidMinor: 900}},
		{At: tuesday, Product: 2, User: 0, Type: shop.Search},
		{At: tuesday, Product: 2, User: 0, Type: shop.View},
		{At: tuesday, Product: 2, User: 0, Quantity: 1, Currency: shop.Yen, PaidMinor: 500},
		{At: tuesday, Product: shop.NoProduct, User: 1, Type: s.SignUp()},
		{At: monday, Product: shop.NoProduct, User: 1, Type: s.SignUp()},
	} {
		got.Add(f)
	}
	euros, back := tally.Money{GrossMinor: 2700, RefundedMinor: 900, NetMinor: 1800, Orders: 1, Units: 3}, tally.Money{RefundedMinor: 900, NetMinor: -900}
	sold, yen := tally.Money{GrossMinor: 2700, NetMinor: 2700, Orders: 1, Units: 3}, tally.Money{GrossMinor: 500, NetMinor: 500, Orders: 1, Units: 1}
	wantProducts := []tally.Counts{
		{Events: 4, Views: 2, Clicks: 1, AddToCarts: 1, Purchases: 1, Units: 3, Euro: euros, UniqueUsers: 2},
		{},
		{Events: 2, Views: 1, Purchases: 1, Units: 1, Yen: yen, UniqueUsers: 1},
	}
	wantUsers := make([]tally.Counts, 70)
	wantUsers[0] = tally.Counts{Events: 4, Views: 2, Clicks: 1, Purchases: 1, Units: 1, Yen: yen, UniqueUsers: 1}
	wantUsers[1] = tally.Counts{Events: 2, UniqueUsers: 1}
	wantUsers[64] = tally.Counts{Events: 2, Views: 1, AddToCarts: 1, Purchases: 1, Units: 3, Euro: euros, UniqueUsers: 1}
	wantDays := []tally.Counts{
		{Events: 3, Views: 2, Clicks: 1, Purchases: 1, Units: 3, Euro: sold},
		{Events: 3, Views: 1, AddToCarts: 1, Purchases: 1, Units: 1, Euro: back, Yen: yen},
	}
	wantTotals := tally.Counts{Events: 6, Views: 3, Clicks: 1, AddToCarts: 1, Purchases: 2, Units: 4, Euro: euros, Yen: yen, UniqueUsers: 3}
	for _, c := range []struct {
		name      string
		want, got any
	}{
		{"products", wantProducts, got.Products},
		{"users", wantUsers, got.Users},
		{"days", wantDays, got.Days},
		{"totals", wantTotals, got.Totals},
		{"sign-ups", []time.Time{tuesday, monday}, got.SignUps},
		{"users who signed up by day", []int64{1, 1}, got.SignUpUsers},
		{"users who signed up", int64(1), got.SignedUp},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestMeasuresNameTheirCounts(t *testing.T) {
	t.Parallel()
	c := tally.Counts{
		Events: 1, Views: 2, Clicks: 3, AddToCarts: 4, Purchases: 5, Units: 6, UniqueUsers: 17,
		Euro: tally.Money{GrossMinor: 7, RefundedMinor: 8, NetMinor: 9, Orders: 10, Units: 11},
		Yen:  tally.Money{GrossMinor: 12, RefundedMinor: 13, NetMinor: 14, Orders: 15, Units: 16},
	}
	c.Add(c)
	for i, m := range tally.Measures() {
		if got := m.Of(c); got != 2*int64(i+1) {
			t.Errorf("%s = %d, want %d", m, got, 2*(i+1))
		}
	}
}
