package shop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// tuesday is a Tuesday afternoon.
var tuesday = time.Date(2026, 3, 17, 15, 42, 7, 5, time.UTC)

func config() shop.Config {
	return shop.Config{Seed: 1, Events: 20_000, Days: 14, Products: 100, Users: 500, Now: tuesday}
}

func newShop(t *testing.T, c shop.Config) *shop.Shop {
	t.Helper()
	s, err := shop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTimeInWhichTheShopIsWatched(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, now         string
		days              int
		from, until, last string
	}{
		{"in the afternoon", "2026-03-17T15:42:07Z", 14, "2026-03-04T00:00:00Z", "2026-03-17T15:00:00Z", "2026-03-17"},
		{"one day", "2026-03-17T15:42:07Z", 1, "2026-03-17T00:00:00Z", "2026-03-17T15:00:00Z", "2026-03-17"},
		{"on the hour", "2026-03-17T15:00:00Z", 2, "2026-03-16T00:00:00Z", "2026-03-17T15:00:00Z", "2026-03-17"},
		{"right after midnight", "2026-03-17T00:59:59Z", 1, "2026-03-16T00:00:00Z", "2026-03-17T00:00:00Z", "2026-03-16"},
		{"an hour after midnight", "2026-03-17T01:00:00Z", 1, "2026-03-17T00:00:00Z", "2026-03-17T01:00:00Z", "2026-03-17"},
		{"elsewhere", "2026-03-17T00:30:00+05:00", 1, "2026-03-16T00:00:00Z", "2026-03-16T19:00:00Z", "2026-03-16"},
	}
	for _, c := range cases {
		conf := config()
		conf.Days = c.days
		conf.Now, _ = time.Parse(time.RFC3339, c.now)
		s := newShop(t, conf)
		got := []string{s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), s.Day(s.Days - 1).Format(time.DateOnly)}
		if got[0] != c.from || got[1] != c.until || got[2] != c.last {
			t.Errorf("%s: %v, want %s, %s, %s", c.name, got, c.from, c.until, c.last)
		}
	}
}

// Shops that differ in anything must not share products or users; equal shops of the same hour must.
func TestTagStandsForEverything(t *testing.T) {
	t.Parallel()
	base := newShop(t, config())
	same := config()
	same.Now = tuesday.Add(10 * time.Minute)
	if got := newShop(t, same).Tag(); got != base.Tag() {
		t.Errorf("ten minutes later the tag is %s, was %s", got, base.Tag())
	}
	for name, change := range map[string]func(c *shop.Config){
		"seed":     func(c *shop.Config) { c.Seed++ },
		"events":   func(c *shop.Config) { c.Events++ },
		"days":     func(c *shop.Config) { c.Days++ },
		"products": func(c *shop.Config) { c.Products++ },
		"users":    func(c *shop.Config) { c.Users++ },
		"now":      func(c *shop.Config) { c.Now = c.Now.Add(time.Hour) },
		"zone":     func(c *shop.Config) { c.Zone = time.FixedZone("Etc/GMT-1", 3600) },
	} {
		c := config()
		change(&c)
		if got := newShop(t, c).Tag(); got == base.Tag() {
			t.Errorf("other %s, same tag %s", name, got)
		}
	}
	if id := base.UserID(42); id != "demo-"+base.Tag()+"-u00042" || !strings.HasPrefix(id, "demo-1-") {
		t.Errorf("user 42 is %s", id)
	}
}

func TestProducts(t *testing.T) {
	t.Parallel()
	s := newShop(t, config())
	seen := map[string]bool{}
	for _, p := range s.Products {
		if seen[p.SKU] || !strings.Contains(p.SKU, s.Tag()) || len(p.SKU) > 64 {
			t.Errorf("SKU %s", p.SKU)
		}
		seen[p.SKU] = true
		if p.Name == "" || p.Category == "" || p.Price(shop.Euro) < 100 || p.Price(shop.Yen) < 100 {
			t.Errorf("product %+v", p)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d products", len(seen))
	}
}

func TestSizesAreChecked(t *testing.T) {
	t.Parallel()
	_, err := shop.New(shop.Config{Events: 0, Days: shop.MaxDays + 1, Products: -1, Users: shop.MaxUsers + 1, Now: tuesday})
	for _, name := range []string{"events", "days", "products", "users"} {
		if err == nil || !strings.Contains(err.Error(), name+": must be") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	c := config()
	c.Products, c.Users = shop.MaxProducts, shop.MaxUsers
	if _, err := shop.New(c); err == nil {
		t.Error("more products × users than fit into memory are taken")
	}
}
