package demo

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// rankingLength is the number of places of a ranking that are compared, the most that the API returns.
const rankingLength = 100

// place is a product's place in a ranking.
type place struct {
	id    uuid.UUID
	value int64
}

// checkRanking compares a ranking with the demo's own. Products of others may be anywhere in it. Those of the demo must be
// in it in the right order, without gaps, down to the lowest value in the ranking.
func (d *demo) checkRanking(f *findings, by tally.Measure, top client.TopProducts) {
	own := d.ranking(by)
	isOwn := make(map[uuid.UUID]bool, len(d.ids))
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
			return // the following places differ for the same reason
		}
		next++
	}
	isFull := len(top.Items) == rankingLength
	if next < len(own) && (!isFull || own[next].value > top.Items[rankingLength-1].Value) {
		differ(place{}, own[next])
	}
}

// ranking returns the demo's own ranking by the platform's rules: highest value first, ties by id, no zeros.
func (d *demo) ranking(by tally.Measure) []place {
	var places []place
	for i, counts := range d.own.Products {
		if value := by.Of(counts); value != 0 {
			places = append(places, place{d.ids[i], value})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.value, a.value), bytes.Compare(a.id[:], b.id[:]))
	})
	return places
}

func orNone(id uuid.UUID) string {
	if id == uuid.Nil {
		return "none"
	}
	return id.String()
}
