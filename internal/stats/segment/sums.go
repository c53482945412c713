package segment

import (
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// page has the sums of those of 64 products with neighbouring numbers that were added.
type page struct {
	has    uint64  // a bit for each product that was added
	values []int64 // theirs, ascending by number
}

// index returns where the value of a product is, or belongs.
func (p *page) index(bit uint64) int { return bits.OnesCount64(p.has & (bit - 1)) }

// at returns the value of a product, and adds the product unless it has one.
func (p *page) at(bit uint64) *int64 {
	i := p.index(bit)
	if p.has&bit == 0 {
		p.has |= bit
		p.values = slices.Insert(p.values, i, 0)
	}
	return &p.values[i]
}

// Sums are the sums of a column of segments, by product. They take some 10 bytes for each product if most numbers are neighbours, and
// at most some 100 if none are. A Sums is not safe for concurrent use.
type Sums struct {
	pages  map[int32]*page
	chosen *Set
}

// NewSums returns the sums of all products of no segments.
func NewSums() *Sums { return NewSumsOf(nil) }

// NewSumsOf returns the sums of the products of a set, of no segments; of a nil set, those of all products.
func NewSumsOf(chosen *Set) *Sums { return &Sums{pages: map[int32]*page{}, chosen: chosen} }

// Add adds the column of a segment with some products. An error is ErrDamaged or ErrTooLarge; the sums are wrong then.
func (s *Sums) Add(products, column []byte) error {
	n := numbersOf(products)
	var at *page
	var chosen uint64
	for n.next() {
		value, size := uvarint(column)
		if size <= 0 || value > math.MaxInt64 {
			return n.damaged()
		}
		column = column[size:]
		if n.turned {
			at, chosen = s.pages[n.page], s.chosen.bits(n.page)
		}
		if chosen&n.bit == 0 {
			continue
		}
		if at == nil {
			at = &page{}
			s.pages[n.page] = at
		}
		sum := at.at(n.bit)
		if int64(value) > math.MaxInt64-*sum {
			return ErrTooLarge
		}
		*sum += int64(value)
	}
	return n.end(column)
}

// Of returns the sum of a product, 0 for one that no segment has.
func (s *Sums) Of(product int32) int64 {
	bit := uint64(1) << (product % pageSize)
	if found := s.pages[product/pageSize]; found != nil && found.has&bit != 0 {
		return found.values[found.index(bit)]
	}
	return 0
}

// All yields the products of the segments in ascending order, with their sums.
func (s *Sums) All() iter.Seq2[int32, int64] {
	return func(yield func(int32, int64) bool) {
		for _, n := range slices.Sorted(maps.Keys(s.pages)) {
			at := s.pages[n]
			has := at.has
			for _, value := range at.values {
				if !yield(n*pageSize+int32(bits.TrailingZeros64(has)), value) {
					return
				}
				has &= has - 1
			}
		}
	}
}
