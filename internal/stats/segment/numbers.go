package segment

import (
	"encoding/binary"
	"fmt"
	"math"
)

// pageSize is the number of products with neighbouring numbers that are looked up together, a bit for each.
const pageSize = 64

// numbers reads the numbers of the products of a segment.
type numbers struct {
	rest    []byte
	product int64  // the last one
	page    int32  // that of the last product; -1 before the first one
	turned  bool   // the last product has another page than the one before
	bit     uint64 // the last product within its page
}

func numbersOf(products []byte) numbers { return numbers{rest: products, page: -1} }

// next reads the next product. It returns false at the end and for what is damaged; end tells these apart.
func (n *numbers) next() bool {
	delta, size := uvarint(n.rest)
	product := n.product + int64(delta)
	if size <= 0 || delta == 0 || delta > math.MaxInt32 || product > math.MaxInt32 {
		return false
	}
	n.rest, n.product = n.rest[size:], product
	page := int32(product / pageSize)
	n.turned = page != n.page
	n.page, n.bit = page, 1<<(product%pageSize)
	return true
}

// end returns ErrDamaged unless all products and values were read. values are what is left of those.
func (n *numbers) end(values []byte) error {
	if len(n.rest) > 0 {
		return n.damaged()
	}
	if len(values) > 0 {
		return fmt.Errorf("%w: a column has more values than there are products", ErrDamaged)
	}
	return nil
}

func (n *numbers) damaged() error { return fmt.Errorf("%w: after product %d", ErrDamaged, n.product) }

// uvarint is binary.Uvarint, of which most values are one byte.
func uvarint(data []byte) (value uint64, size int) {
	if len(data) > 0 && data[0] < 0x80 {
		return uint64(data[0]), 1
	}
	return binary.Uvarint(data)
}
