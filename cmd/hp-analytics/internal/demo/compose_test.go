package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

func newShop(t *testing.T, c shop.Config) *shop.Shop {
	t.Helper()
	c.Now = time.Date(2026, 3, 17, 15, 42, 7, 0, time.UTC)
	s, err := shop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestComposeSendsEverythingAndRepeatsSome(t *testing.T) {
	t.Parallel()
	for _, events := range []int{1, 6, 7, 9, 299, 300, 301, 20_000} {
		s := newShop(t, shop.Config{Events: events, Days: 3, Products: 10, Users: 50})
		purchases, again, fresh, alone := 0, 0, 0, 0
		var twice, later int
		batchOf := map[uuid.UUID]int{} // -1: alone
		for d := range compose(s.Facts()) {
			fresh += d.fresh
			switch {
			case d.purchase != nil:
				purchases++
				if d.again {
					again++
				}
				if len(d.events) > 0 || d.fresh > 0 {
					t.Errorf("a purchase with events: %+v", d)
				}
				continue
			case d.alone:
				alone++
				d.batch = -1
			case len(d.events) > 1000:
				t.Errorf("a batch of %d events", len(d.events))
			}
			for _, f := range d.events {
				switch have, ok := batchOf[f.ID]; {
				case !ok:
					batchOf[f.ID] = d.batch
				case have == d.batch:
					twice++
				default:
					later++
				}
			}
		}
		if len(batchOf) != events || fresh != events {
			t.Errorf("of %d events %d were sent, %d of them called fresh", events, len(batchOf), fresh)
		}
		if wantAlone := (events + aloneEvery - aloneAt) / aloneEvery; alone != wantAlone {
			t.Errorf("%d events: %d alone, want %d", events, alone, wantAlone)
		}
		if events >= 9 && (twice == 0 || later == 0) {
			t.Errorf("%d events: %d twice in a batch, %d in a later one", events, twice, later)
		}
		if again != (purchases+purchaseEvery-purchaseAt)/purchaseEvery {
			t.Errorf("%d of %d purchases are sent twice", again, purchases)
		}
	}
}

func TestComposeMakesBatchesOfManySizes(t *testing.T) {
	t.Parallel()
	var sizes []int
	for d := range compose(newShop(t, shop.Config{Events: 100_000, Days: 3, Products: 10, Users: 50}).Facts()) {
		if d.purchase == nil && !d.alone {
			sizes = append(sizes, len(d.events))
		}
	}
	sizes = sizes[:len(sizes)-1] // the last has what is left
	smallest, largest := slices.Min(sizes), slices.Max(sizes)
	if smallest < smallestBatch || smallest > 350 || largest < 950 || largest > 1000 {
		t.Errorf("batches of %d to %d events", smallest, largest)
	}
}

func TestComposeStopsWhenNobodyListens(t *testing.T) {
	t.Parallel()
	n := 0
	for range compose(newShop(t, shop.Config{Events: 5_000, Days: 3, Products: 10, Users: 50}).Facts()) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d deliveries", n)
	}
}
