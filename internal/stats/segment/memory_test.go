package segment_test

import (
	"runtime"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// TestMemoryFollowsTheProducts adds up segments of as many products with neighbouring numbers and with numbers far apart, as those of a
// project are when many projects create products at the same time.
func TestMemoryFollowsTheProducts(t *testing.T) { // not parallel: it measures what the process allocates
	const products, most = 20_000, 200 // bytes for a product, with what growing leaves behind
	for _, apart := range []int32{1, 7, 64, 1000, 100_000} {
		b := segment.NewBuilder(1)
		for i := range int32(products) {
			if err := b.Add((i+1)*apart, []int64{int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		s := b.Segment()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		sums := segment.NewSums()
		for range 3 {
			if err := sums.Add(s.Products, s.Columns[0]); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		bytes := (after.TotalAlloc - before.TotalAlloc) / products
		t.Logf("numbers %d apart: %d bytes a product", apart, bytes)
		if bytes > most {
			t.Errorf("numbers %d apart: %d bytes a product, want at most %d", apart, bytes, most)
		}
		if got := sums.Of(products * apart); got != 3*(products-1) {
			t.Errorf("the sum of the last product is %d", got)
		}
	}
}
