package reconcile

import (
	"maps"
	"slices"
	"sync"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// references are the products and names of the raw rows of a project that were looked up already, so that one that does not exist
// is reported once.
type references struct {
	mu       sync.Mutex
	products map[int32]struct{}
	names    map[int16]struct{}
}

func newReferences() *references {
	return &references{products: map[int32]struct{}{}, names: map[int16]struct{}{}}
}

// unknown returns the products and names of some rows that were not looked up yet, and takes them for looked up.
func (r *references) unknown(rows *recount.Recount) (products []int32, names []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return takeNew(r.products, rows.Products), takeNew(r.names, rows.Names)
}

func takeNew[N int16 | int32](known, found map[N]struct{}) []N {
	maps.DeleteFunc(found, func(n N, _ struct{}) bool { _, ok := known[n]; return ok })
	maps.Copy(known, found)
	return slices.Sorted(maps.Keys(found))
}
