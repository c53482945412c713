package segment_test

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// encode returns the segment of the values of products.
func encode(t testing.TB, columns int, products map[int32][]int64) segment.Segment {
	t.Helper()
	b := segment.NewBuilder(columns)
	for _, product := range slices.Sorted(maps.Keys(products)) {
		if err := b.Add(product, products[product]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Segment()
}

// TestMergedSegmentsAreTheSums compares segments of random products with the sums of what is in them.
func TestMergedSegmentsAreTheSums(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const columns = 3
	want, totals := map[int32][]int64{}, make([]int64, columns)
	var all []segment.Segment
	for range 20 {
		products := map[int32][]int64{}
		for range random.IntN(200) {
			product := []int32{1 + random.Int32N(300), 1 + random.Int32N(math.MaxInt32), math.MaxInt32, 64, 63}[random.IntN(5)]
			values := []int64{random.Int64N(3), random.Int64N(300), random.Int64N(1 << 50)}
			products[product] = values
		}
		for product, values := range products {
			if want[product] == nil {
				want[product] = make([]int64, columns)
			}
			for i, value := range values {
				want[product][i] += value
				totals[i] += value
			}
		}
		all = append(all, encode(t, columns, products))
	}
	merged, err := segment.Merge(all...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(encode(t, columns, want), merged); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	sums := segment.NewSums()
	if err := sums.Add(merged.Products, merged.Columns[1]); err != nil {
		t.Fatal(err)
	}
	last := int32(0)
	for product, value := range sums.All() {
		if product <= last || value != want[product][1] || sums.Of(product) != value {
			t.Errorf("product %d after %d: %d, want %d", product, last, value, want[product][1])
		}
		last = product
	}
	if sums.Of(2_000_000_001) != 0 {
		t.Error("a product that no segment has")
	}
	some := []int32{63, 64, 65, math.MaxInt32, 2_000_000_001}
	set := segment.NewSet(some)
	ofSet, ofSome := segment.NewSumsOf(set), make([]int64, columns)
	for _, one := range all {
		if err := ofSet.Add(one.Products, one.Columns[1]); err != nil {
			t.Fatal(err)
		}
		if _, err := set.AddTotals(ofSome, one); err != nil {
			t.Fatal(err)
		}
	}
	wantSome := map[int32]int64{}
	for _, product := range some {
		for i, value := range want[product] {
			ofSome[i] -= value
			if i == 1 {
				wantSome[product] = value
			}
		}
	}
	if diff := cmp.Diff(wantSome, maps.Collect(ofSet.All())); diff != "" || len(wantSome) < 3 {
		t.Errorf("products of a set (-want +got):\n%s", diff)
	}
	if !slices.Equal(ofSome, make([]int64, columns)) {
		t.Errorf("the totals of a set are too large by %v", ofSome)
	}
	if found, err := segment.NewSet([]int32{2_000_000_001}).AddTotals(ofSome, merged); found || err != nil {
		t.Errorf("a set without a product of the segment: %t, %v", found, err)
	}
	got := make([]int64, columns)
	if err := segment.AddTotals(got, merged.Totals); err != nil || !slices.Equal(got, totals) {
		t.Errorf("totals %v, %v, want %v", got, err, totals)
	}
}

func TestSegmentsRefuse(t *testing.T) {
	t.Parallel()
	largest := encode(t, 1, map[int32][]int64{7: {math.MaxInt64}})
	one := encode(t, 1, map[int32][]int64{7: {1}})
	sumOf := func(segments ...segment.Segment) error {
		sums := segment.NewSums()
		for _, s := range segments {
			if err := sums.Add(s.Products, s.Columns[0]); err != nil {
				return err
			}
		}
		return nil
	}
	add := func(values ...int64) error {
		b := segment.NewBuilder(1)
		for i, value := range values {
			if err := b.Add(int32(i)+1, []int64{value}); err != nil {
				return err
			}
		}
		return nil
	}
	totals := func(data ...[]byte) error {
		sums := make([]int64, 1)
		for _, d := range data {
			if err := segment.AddTotals(sums, d); err != nil {
				return err
			}
		}
		return nil
	}
	merged := func(s ...segment.Segment) error { _, err := segment.Merge(s...); return err }
	ofSet := func(segments ...segment.Segment) error {
		sums := make([]int64, 1)
		for _, s := range segments {
			if _, err := segment.NewSet([]int32{7}).AddTotals(sums, s); err != nil {
				return err
			}
		}
		return nil
	}
	for name, test := range map[string]struct{ got, want error }{
		"a total of a set":          {ofSet(largest, one), segment.ErrTooLarge},
		"a set of half a number":    {ofSet(segment.Segment{Products: []byte{0x80}, Columns: [][]byte{{1}}}), segment.ErrDamaged},
		"a set of too few values":   {ofSet(segment.Segment{Products: []byte{7}, Columns: [][]byte{{}}}), segment.ErrDamaged},
		"a set of too many values":  {ofSet(segment.Segment{Products: []byte{7}, Columns: [][]byte{{1, 1}}}), segment.ErrDamaged},
		"a set of too many columns": {ofSet(segment.Segment{Products: []byte{7}, Columns: [][]byte{{1}, {1}}}), segment.ErrDamaged},
		"a sum of a product":        {sumOf(largest, one), segment.ErrTooLarge},
		"a merged sum":              {merged(largest, one), segment.ErrTooLarge},
		"a total while it is built": {add(math.MaxInt64, 1), segment.ErrTooLarge},
		"a total":                   {totals(largest.Totals, one.Totals), segment.ErrTooLarge},
		"no totals":                 {totals(nil), segment.ErrDamaged},
		"too many totals":           {totals([]byte{1, 1}), segment.ErrDamaged},
		"a negative value":          {add(-1), segment.ErrDamaged},
		"a product twice":           {sumOf(segment.Segment{Products: []byte{7, 0}, Columns: [][]byte{{1, 1}}}), segment.ErrDamaged},
		"no value":                  {sumOf(segment.Segment{Products: []byte{7}, Columns: [][]byte{{}}}), segment.ErrDamaged},
		"a value of no product":     {sumOf(segment.Segment{Products: []byte{7}, Columns: [][]byte{{1, 1}}}), segment.ErrDamaged},
		"half a number":             {sumOf(segment.Segment{Products: []byte{0x80}, Columns: [][]byte{{1}}}), segment.ErrDamaged},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}

// FuzzSums adds any bytes: they are refused, or are those of products in order.
func FuzzSums(f *testing.F) {
	f.Add([]byte{1, 1, 0x80, 1}, []byte{5, 0, 0xff, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x07, 1}, []byte{1, 1})
	f.Fuzz(func(t *testing.T, products, column []byte) {
		sums := segment.NewSums()
		if sums.Add(products, column) != nil {
			return
		}
		b := segment.NewBuilder(1)
		for product, value := range sums.All() {
			if err := b.Add(product, []int64{value}); err != nil {
				if errors.Is(err, segment.ErrTooLarge) {
					return
				}
				t.Fatal(err)
			}
		}
		again := segment.NewSums()
		if err := again.Add(b.Segment().Products, b.Segment().Columns[0]); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(maps.Collect(sums.All()), maps.Collect(again.All())) {
			t.Error("what is encoded differs")
		}
	})
}
