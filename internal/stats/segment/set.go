package segment

import (
	"fmt"
	"math"
)

// Set is a set of products. Several goroutines may read it.
type Set struct{ pages map[int32]uint64 } // a bit for each product

// NewSet returns the set of some products.
func NewSet(products []int32) *Set {
	s := &Set{pages: map[int32]uint64{}}
	for _, product := range products {
		s.pages[product/pageSize] |= 1 << (product % pageSize)
	}
	return s
}

// bits returns the products of a page that are in the set; of a nil set, all.
func (s *Set) bits(page int32) uint64 {
	if s == nil {
		return math.MaxUint64
	}
	return s.pages[page]
}

// AddTotals adds the values of those products of a segment that are in the set to sums, one for each column, and reports whether
// there are any. It takes a bit of memory for each product. An error is ErrDamaged or ErrTooLarge; the sums are wrong then.
func (s *Set) AddTotals(sums []int64, of Segment) (found bool, err error) {
	if len(of.Columns) != len(sums) {
		return false, fmt.Errorf("%w: it has %d columns and not %d", ErrDamaged, len(of.Columns), len(sums))
	}
	members, products, found, err := s.members(of.Products)
	if err != nil {
		return false, err
	}
	for i, column := range of.Columns {
		if err := addMembers(&sums[i], members, products, column); err != nil {
			return false, err
		}
	}
	return found, nil
}

// members returns a bit for each of the products of a segment, in their order: whether it is in the set.
func (s *Set) members(data []byte) (members []uint64, products int, found bool, err error) {
	members = make([]uint64, len(data)/64+1) // a product is a byte or more
	n := numbersOf(data)
	var chosen uint64
	for n.next() {
		if n.turned {
			chosen = s.bits(n.page)
		}
		if chosen&n.bit != 0 {
			found = true
			members[products/64] |= 1 << (products % 64)
		}
		products++
	}
	return members, products, found, n.end(nil)
}

// addMembers adds the values of the members to a sum.
func addMembers(sum *int64, members []uint64, products int, column []byte) error {
	for i := range products {
		value, size := uvarint(column)
		if size <= 0 || value > math.MaxInt64 {
			return fmt.Errorf("%w: a column has fewer values than there are products", ErrDamaged)
		}
		column = column[size:]
		if members[i/64]>>(i%64)&1 == 0 {
			continue
		}
		if int64(value) > math.MaxInt64-*sum {
			return ErrTooLarge
		}
		*sum += int64(value)
	}
	if len(column) > 0 {
		return fmt.Errorf("%w: a column has more values than there are products", ErrDamaged)
	}
	return nil
}
