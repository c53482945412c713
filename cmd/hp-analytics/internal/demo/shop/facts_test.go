package shop_test

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// fingerprint returns a hash of all facts of s.
func fingerprint(t *testing.T, s *shop.Shop) [sha256.Size]byte {
	t.Helper()
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for f := range s.Facts() {
		if err := encoder.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func TestTheSameSeedMakesTheSame(t *testing.T) {
	t.Parallel()
	s := newShop(t, config())
	first := fingerprint(t, s)
	if fingerprint(t, s) != first {
		t.Error("asked twice, the same shop makes something else")
	}
	if fingerprint(t, newShop(t, config())) != first {
		t.Error("made anew, the same shop makes something else")
	}
	other := config()
	other.Seed = 2
	if fingerprint(t, newShop(t, other)) == first {
		t.Error("another seed makes the same")
	}
}

// count holds the statistics of all facts that the tests below check.
type count struct {
	events, purchases int
	byType            map[string]int
	views             []int // by product
	byDay             map[string]int
	byHour            [24]int
	users             map[int]bool
	ids               map[uuid.UUID]bool
	signUps           int
	refunds           int
	byCurrency        map[string]int // purchases
}

func counted(t *testing.T, s *shop.Shop) count {
	t.Helper()
	c := count{
		byType: map[string]int{}, views: make([]int, len(s.Products)), byDay: map[string]int{},
		users: map[int]bool{}, ids: map[uuid.UUID]bool{}, byCurrency: map[string]int{},
	}
	for f := range s.Facts() {
		if f.At.Before(s.From) || !f.At.Before(s.Until) {
			t.Fatalf("something happens at %s, outside %s to %s", f.At, s.From, s.Until)
		}
		if seconds, nanos := f.ID.Time().UnixTime(); f.ID.Version() != 7 || !time.Unix(seconds, nanos).Equal(f.At) || f.ID.Variant() != uuid.RFC4122 {
			t.Fatalf("id %s does not carry the time %s", f.ID, f.At)
		}
		c.ids[f.ID] = true
		c.users[f.User] = true
		if f.IsPurchase() {
			c.purchases++
			c.byCurrency[f.Currency]++
			if full := f.Quantity * s.Products[f.Product].Price(f.Currency); (f.PaidMinor == full) == f.Discounted {
				t.Errorf("paid %d for goods of %d, discounted: %t", f.PaidMinor, full, f.Discounted)
			}
			if r := f.Refund; r != nil {
				c.refunds++
				c.ids[r.ID] = true
				if !r.At.After(f.At) || !r.At.Before(s.Until) || r.Quantity < 1 || r.Quantity > f.Quantity || r.PaidMinor < 1 || r.PaidMinor > f.PaidMinor {
					t.Errorf("of %+v comes back %+v", f, *r)
				}
			}
			continue
		}
		if isSignUp := f.Type == s.SignUp(); isSignUp != (f.Product == shop.NoProduct) {
			t.Errorf("%s concerns product %d", f.Type, f.Product)
		} else if isSignUp {
			c.signUps++
		}
		c.events++
		c.byType[f.Type]++
		c.byDay[f.At.Format(time.DateOnly)]++
		c.byHour[f.At.Hour()]++
		if f.Type == shop.View {
			c.views[f.Product]++
		}
	}
	if facts := c.events + c.purchases + c.refunds; len(c.ids) != facts {
		t.Errorf("%d facts have %d ids", facts, len(c.ids))
	}
	return c
}

func TestShape(t *testing.T) {
	t.Parallel()
	c := config()
	c.Now = time.Date(2026, 3, 18, 0, 10, 0, 0, time.UTC) // 14 complete days
	got := counted(t, newShop(t, c))
	if got.events != c.Events {
		t.Errorf("%d events, want %d", got.events, c.Events)
	}
	views, clicks, carts := got.byType[shop.View], got.byType[shop.Click], got.byType[shop.AddToCart]
	if views < 2*clicks || clicks < 2*carts || carts < 2*got.purchases || got.purchases < views/50 {
		t.Errorf("the funnel: %d views, %d clicks, %d carts, %d purchases", views, clicks, carts, got.purchases)
	}
	if got.byType[shop.Search] == 0 || got.byType[shop.Wishlist] == 0 {
		t.Errorf("types: %v", got.byType)
	}
	if got.signUps < views/100 || got.signUps > views/10 {
		t.Errorf("%d sign-ups and %d views", got.signUps, views)
	}
	if yen, euro := got.byCurrency[shop.Yen], got.byCurrency[shop.Euro]; yen < got.purchases/10 || euro < yen || yen+euro != got.purchases {
		t.Errorf("purchases by currency: %v", got.byCurrency)
	}
	if got.refunds < got.purchases/20 || got.refunds > got.purchases/3 {
		t.Errorf("%d of %d purchases come back", got.refunds, got.purchases)
	}
	slices.Sort(got.views)
	slices.Reverse(got.views)
	top := 0
	for _, v := range got.views[:10] {
		top += v
	}
	if share := float64(top) / float64(views); share < 0.5 || share > 0.85 {
		t.Errorf("the first 10 of 100 products take %.0f %% of the views", 100*share)
	}
	if len(got.users) < c.Users*9/10 {
		t.Errorf("%d of %d users came", len(got.users), c.Users)
	}
}

func TestRhythm(t *testing.T) {
	t.Parallel()
	c := config()
	c.Now = time.Date(2026, 3, 18, 0, 10, 0, 0, time.UTC)
	got := counted(t, newShop(t, c))
	if len(got.byDay) != c.Days {
		t.Errorf("%d days have events, want %d", len(got.byDay), c.Days)
	}
	sunday, thursday := got.byDay["2026-03-15"], got.byDay["2026-03-12"]
	if sunday < thursday*13/10 {
		t.Errorf("%d events on a Sunday, %d on a Thursday", sunday, thursday)
	}
	if night, evening := got.byHour[3], got.byHour[19]; night*5 > evening {
		t.Errorf("%d events at night, %d in the evening", night, evening)
	}
}

func TestSmallestAndOtherSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []shop.Config{
		{Events: 1, Days: 1, Products: 1, Users: 1, Now: tuesday},
		{Events: 1, Days: shop.MaxDays, Products: 3, Users: 10, Now: tuesday},
		{Events: 997, Days: 1, Products: 7, Users: 13, Now: tuesday.Truncate(24 * time.Hour).Add(time.Hour)}, // one hour
		{Seed: ^uint64(0), Events: 1_003, Days: 30, Products: 1, Users: 1, Now: tuesday},
	} {
		if got := counted(t, newShop(t, c)); got.events != c.Events {
			t.Errorf("%+v: %d events", c, got.events)
		}
	}
}

// TestDaysOfTheZone counts a week in which the clocks of Berlin change: all of it happens on its seven days, and by its clocks.
func TestDaysOfTheZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := config()
	c.Days, c.Zone, c.Now = 7, berlin, time.Date(2026, 10, 27, 23, 10, 0, 0, time.UTC) // 00:10 on the 28th
	s := newShop(t, c)
	if first, last := s.Day(0).Format(time.DateOnly), s.Day(6).Format(time.DateOnly); first != "2026-10-21" || last != "2026-10-27" {
		t.Fatalf("from %s to %s", first, last)
	}
	if length := s.DayStart(5).Sub(s.DayStart(4)); length != 25*time.Hour {
		t.Errorf("%s has %s", s.Day(4).Format(time.DateOnly), length)
	}
	if !s.DayStart(0).Equal(s.From) || !s.DayStart(7).Equal(s.Until) {
		t.Errorf("from %s until %s", s.From, s.Until)
	}
	got := counted(t, s)
	if len(got.byDay) != 7 || got.byDay["2026-10-25"] < got.byDay["2026-10-22"] { // a Sunday, a Thursday
		t.Errorf("events by day: %v", got.byDay)
	}
	if night, evening := got.byHour[3], got.byHour[19]; night*5 > evening {
		t.Errorf("%d events at night, %d in the evening", night, evening)
	}
	for f := range s.Facts() {
		if day := s.Day(s.DayOf(f.At)).Format(time.DateOnly); day != f.At.Format(time.DateOnly) {
			t.Fatalf("%s is on %s", f.At, day)
		}
	}
}

func TestFactsStopWhenNobodyListens(t *testing.T) {
	t.Parallel()
	n := 0
	for range newShop(t, config()).Facts() {
		if n++; n == 5 {
			break
		}
	}
	if n != 5 {
		t.Errorf("%d facts", n)
	}
}
