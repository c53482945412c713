package demo

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// rankingLength is how many places of a ranking are compared.
const rankingLength = 100

// place is a product's place in a ranking.
type place struct {
	id    string
	value int64
}

// checkRanking compares a ranking with the demo's own. Other products of the catalog may be anywhere in it; the demo's
// must be there in the right order, without gaps, down to the lowest value that the ranking shows.
func (d *demo) checkRanking(f *findings, by tally.Measure, top client.Top) {
	own := d.ranking(by)
	isOwn := make(map[string]bool, len(d.ids))
	for _, id := range d.ids {
		isOwn[id] = true
	}
	next := 0
	differ := func(platform, own place) {
		f.differences = append(f.differences, Difference{
			What:     fmt.Sprintf("top %s, place %d of this demo's products", by, next+1),
			Subject:  fmt.Sprintf("product %s instead of %s", orNone(platform.id), orNone(own.id)),
			Platform: platform.value, Own: own.value,
		})
	}
	for _, item := range top.Items {
		if !isOwn[item.Product.ID] {
			continue
		}
		got := place{item.Product.ID, item.Value}
		var want place
		if next < len(own) {
			want = own[next]
		}
		if got != want {
			differ(got, want)
			return // the places after it differ for the same reason
		}
		next++
	}
	isFull := len(top.Items) == rankingLength
	if next < len(own) && (!isFull || own[next].value > top.Items[rankingLength-1].Value) {
		differ(place{}, own[next])
	}
}

// ranking returns the demo's own ranking, by the platform's rules: highest first, ties by id, nothing that is 0.
func (d *demo) ranking(by tally.Measure) []place {
	var places []place
	for i, counts := range d.own.Products {
		if value := by.Of(counts); value > 0 {
			places = append(places, place{d.ids[i], value})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.id, b.id))
	})
	return places
}

func orNone(id string) string {
	if id == "" {
		return "none"
	}
	return id
}
