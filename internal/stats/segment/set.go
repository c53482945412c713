package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Set is a set of products. Several goroutines may read it.
type Set struct {
	pages map[int32]uint64 // a bit for each product
}

// NewSet returns the set of some products.
func NewSet(products []int32) *Set {
	s := &Set{pages: make(map[int32]uint64, len(products)/pageSize+1)}
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

// Append appends bytes to data that two sets share only if they have the same products.
func (s *Set) Append(data []byte) []byte {
	pages := make([]int32, 0, len(s.pages))
	for page := range s.pages {
		pages = append(pages, page)
	}
	slices.Sort(pages)
	data = slices.Grow(data, 12*len(pages))
	for _, page := range pages {
		data = binary.LittleEndian.AppendUint32(data, uint32(page))
		data = binary.LittleEndian.AppendUint64(data, s.pages[page])
	}
	return data
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
	next := 0 // the product of the first value of column
	for i, of := range members {
		for ; of != 0; of &= of - 1 {
			member := i*64 + bits.TrailingZeros64(of)
			rest, ok := skip(column, member-next)
			value, size := uvarint(rest)
			if !ok || size <= 0 || value > math.MaxInt64 {
				return fmt.Errorf("%w: a column has fewer values than there are products", ErrDamaged)
			}
			if int64(value) > math.MaxInt64-*sum {
				return ErrTooLarge
			}
			*sum += int64(value)
			column, next = rest[size:], member+1
		}
	}
	rest, ok := skip(column, products-next)
	switch {
	case !ok:
		return fmt.Errorf("%w: a column has fewer values than there are products", ErrDamaged)
	case len(rest) > 0:
		return fmt.Errorf("%w: a column has more values than there are products", ErrDamaged)
	}
	return nil
}

// lastBytes has the bit of each of eight bytes that is set in all but the last byte of a uvarint.
const lastBytes = 0x8080808080808080

// skip returns a column without its first n values, and false if it has fewer. It looks at eight bytes at a time.
func skip(column []byte, n int) ([]byte, bool) {
	for n >= 8 && len(column) >= 8 { // eight bytes end eight values at most
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(column) & lastBytes)
		column = column[8:]
	}
	for ; n > 0; column = column[1:] {
		if len(column) == 0 {
			return nil, false
		}
		if column[0] < 0x80 {
			n--
		}
	}
	return column, true
}
