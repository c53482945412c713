package demo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

func TestEstimatedUsersMayBeOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		measure       tally.Measure
		platform, own int64
		want          bool
	}{
		{tally.UniqueUsers, 100, 100, true},
		{tally.UniqueUsers, 101, 100, false}, // small numbers are exact
		{tally.UniqueUsers, 1_080, 1_000, true},
		{tally.UniqueUsers, 920, 1_000, true},
		{tally.UniqueUsers, 1_090, 1_000, false},
		{tally.UniqueUsers, 910, 1_000, false},
		{tally.UniqueUsers, 0, 1_000, false},
		{tally.Views, 1_001, 1_000, false},
		{tally.GrossYen, 1_000, 1_000, true},
	} {
		if got := closely(c.measure, c.platform, c.own); got != c.want {
			t.Errorf("%s of %d for %d: equal = %t", c.measure, c.platform, c.own, got)
		}
	}
}

// idOf returns an id that sorts like name.
func idOf(name string) (id uuid.UUID) {
	copy(id[:], name)
	return id
}

// TestRankings writes rankings as "product=value" in order; a, b, c and d are the demo's products, with 30, 20, 20 and no views.
func TestRankings(t *testing.T) {
	t.Parallel()
	full := make([]string, rankingLength) // of other products, down to 21 views
	for i := range full {
		full[i] = fmt.Sprintf("x%d=%d", i, 120-i)
	}
	for name, c := range map[string]struct {
		places string
		equal  bool
	}{
		"as it is":                      {"a=30 b=20 c=20", true},
		"others between":                {"x=40 a=30 y=25 b=20 z=20 c=20 w=1", true},
		"wrong value":                   {"a=31 b=20 c=20", false},
		"wrong order of a tie":          {"a=30 c=20 b=20", false},
		"the first is missing":          {"b=20 c=20", false},
		"the last is missing":           {"a=30 b=20", false},
		"one with nothing":              {"a=30 b=20 c=20 d=0", false},
		"empty":                         {"", false},
		"full, with those that fit":     {strings.Join(full[:91], " ") + " a=30 " + strings.Join(full[91:99], " "), true},
		"full, without one that fits":   {strings.Join(full, " "), false},
		"full, the last two cut off":    {strings.Join(full[:90], " ") + " a=30 " + strings.Repeat("x=25 ", 8) + "b=20", true},
		"full, the last but one absent": {strings.Join(full[:90], " ") + " a=30 " + strings.Repeat("x=25 ", 8) + "c=20", false},
	} {
		d := &demo{ids: []uuid.UUID{idOf("c"), idOf("a"), idOf("d"), idOf("b")}, own: &tally.Tally{Products: []tally.Counts{{Views: 20}, {Views: 30}, {}, {Views: 20}}}}
		var top client.TopProducts
		for place := range strings.FieldsSeq(c.places) {
			var item client.TopProduct
			id, value, _ := strings.Cut(place, "=")
			item.Product.ID = idOf(id)
			if _, err := fmt.Sscan(value, &item.Value); err != nil {
				t.Fatal(err)
			}
			top.Items = append(top.Items, item)
		}
		var found findings
		d.checkRanking(&found, tally.Views, top)
		if equal := len(found.differences) == 0; equal != c.equal || len(found.differences) > 1 {
			t.Errorf("%s: %v", name, found.differences)
		}
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	for _, users := range []int{1, 49, 50, 51, 1_000} {
		d := &demo{shop: newShop(t, shop.Config{Events: 1, Days: 1, Products: 1, Users: users})}
		got := d.sample()
		seen := map[int]bool{}
		for _, user := range got {
			if user < 0 || user >= users {
				t.Errorf("user %d of %d", user, users)
			}
			seen[user] = true
		}
		if len(seen) != min(users, sampledUsers) {
			t.Errorf("%d of %d users", len(seen), users)
		}
	}
}
