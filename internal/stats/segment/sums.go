package segment

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// pageSize is the number of neighbours that share a page: the bits of page.has.
const pageSize = 64

// page has the sums of products with neighbouring numbers.
type page struct {
	has    uint64 // a bit for each product that was added
	values [pageSize]int64
}

// Sums are the sums of a column of segments, by product. They take some 500 bytes for 64 neighbouring products, or for a product
// without neighbours. A Sums is not safe for concurrent use.
type Sums struct{ pages map[int32]*page }

// NewSums returns the sums of no segments.
func NewSums() *Sums { return &Sums{pages: map[int32]*page{}} }

// Add adds the column of a segment with some products. An error is ErrDamaged or ErrTooLarge; the sums are wrong then.
func (s *Sums) Add(products, column []byte) error {
	product, number := int64(0), int32(-1)
	var at *page
	for len(products) > 0 {
		delta, size := uvarint(products)
		value, length := uvarint(column)
		product += int64(delta)
		if size <= 0 || length <= 0 || delta == 0 || delta > math.MaxInt32 || product > math.MaxInt32 || value > math.MaxInt64 {
			return fmt.Errorf("%w: after product %d", ErrDamaged, product)
		}
		products, column = products[size:], column[length:]
		if n := int32(product / pageSize); n != number {
			number, at = n, s.page(n)
		}
		place := product % pageSize
		at.has |= 1 << place
		sum := at.values[place] + int64(value)
		if sum < 0 {
			return ErrTooLarge
		}
		at.values[place] = sum
	}
	if len(column) > 0 {
		return fmt.Errorf("%w: a column has more values than there are products", ErrDamaged)
	}
	return nil
}

// uvarint is binary.Uvarint, of which most values are one byte.
func uvarint(data []byte) (value uint64, size int) {
	if len(data) > 0 && data[0] < 0x80 {
		return uint64(data[0]), 1
	}
	return binary.Uvarint(data)
}

func (s *Sums) page(n int32) *page {
	found := s.pages[n]
	if found == nil {
		found = &page{}
		s.pages[n] = found
	}
	return found
}

// Of returns the sum of a product, 0 for one that no segment has.
func (s *Sums) Of(product int32) int64 {
	if found := s.pages[product/pageSize]; found != nil {
		return found.values[product%pageSize]
	}
	return 0
}

// Set is a set of products.
type Set struct{ pages map[int32]uint64 } // a bit for each product

// NewSet returns the set of some products.
func NewSet(products []int32) *Set {
	s := &Set{pages: map[int32]uint64{}}
	for _, product := range products {
		s.pages[product/pageSize] |= 1 << (product % pageSize)
	}
	return s
}

// All yields the products of the segments in ascending order, with their sums.
func (s *Sums) All() iter.Seq2[int32, int64] {
	return s.each(func(int32) uint64 { return math.MaxUint64 })
}

// Within yields those products of the segments that are in a set, in ascending order.
func (s *Sums) Within(set *Set) iter.Seq2[int32, int64] {
	return s.each(func(n int32) uint64 { return set.pages[n] })
}

func (s *Sums) each(chosen func(page int32) uint64) iter.Seq2[int32, int64] {
	return func(yield func(int32, int64) bool) {
		for _, n := range slices.Sorted(maps.Keys(s.pages)) {
			at := s.pages[n]
			for has := at.has & chosen(n); has != 0; has &= has - 1 {
				place := bits.TrailingZeros64(has)
				if !yield(n*pageSize+int32(place), at.values[place]) {
					return
				}
			}
		}
	}
}
