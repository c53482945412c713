// Package segment is the compact form of the rollups of products by day. A segment has all products of a project on a day, or on
// some, as columns: the numbers of the products, ascending, and for each value the numbers in the same order. A ranking of a hundred
// thousand products over months reads and adds up a few of them, where it would read millions of rows.
package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrDamaged means that bytes are not those of a segment.
var ErrDamaged = errors.New("the segment is damaged")

// ErrTooLarge means that a sum does not fit into 64 bits.
var ErrTooLarge = errors.New("a sum of a segment does not fit into 64 bits")

// Segment is an encoded segment. Its memory is about one or two bytes for each product and value.
type Segment struct {
	Products []byte   // the difference of each number to the one before, as uvarints
	Totals   []byte   // the sum of each column, as uvarints
	Columns  [][]byte // of each value, uvarints in the order of Products
}

// Builder encodes a segment.
type Builder struct {
	segment Segment
	last    int32
	totals  []int64
}

// NewBuilder returns the builder of a segment without products.
func NewBuilder(columns int) *Builder {
	return &Builder{segment: Segment{Columns: make([][]byte, columns)}, totals: make([]int64, columns)}
}

// Add adds a product with its values, one for each column. Products are in ascending order, and no value is negative.
func (b *Builder) Add(product int32, values []int64) error {
	if product <= b.last || len(values) != len(b.totals) {
		return fmt.Errorf("%w: product %d after %d, %d values", ErrDamaged, product, b.last, len(values))
	}
	b.segment.Products = binary.AppendUvarint(b.segment.Products, uint64(product-b.last))
	b.last = product
	for i, value := range values {
		if value < 0 {
			return fmt.Errorf("%w: product %d has the value %d", ErrDamaged, product, value)
		}
		if value > math.MaxInt64-b.totals[i] {
			return ErrTooLarge
		}
		b.totals[i] += value
		b.segment.Columns[i] = binary.AppendUvarint(b.segment.Columns[i], uint64(value))
	}
	return nil
}

// Segment returns what was added.
func (b *Builder) Segment() Segment {
	b.segment.Totals = nil
	for _, total := range b.totals {
		b.segment.Totals = binary.AppendUvarint(b.segment.Totals, uint64(total))
	}
	return b.segment
}

// AddTotals adds the totals of a segment to sums, one for each column.
func AddTotals(sums []int64, totals []byte) error {
	for i := range sums {
		value, size := binary.Uvarint(totals)
		if size <= 0 || value > math.MaxInt64 {
			return fmt.Errorf("%w: it has not %d totals", ErrDamaged, len(sums))
		}
		totals = totals[size:]
		if int64(value) > math.MaxInt64-sums[i] {
			return ErrTooLarge
		}
		sums[i] += int64(value)
	}
	if len(totals) > 0 {
		return fmt.Errorf("%w: it has more than %d totals", ErrDamaged, len(sums))
	}
	return nil
}

// Merge returns the segment of the sums of some segments, which have the same columns.
func Merge(segments ...Segment) (Segment, error) {
	if len(segments) == 1 {
		return segments[0], nil
	}
	var columns []*Sums
	for _, s := range segments {
		for len(columns) < len(s.Columns) {
			columns = append(columns, NewSums())
		}
		for i, column := range s.Columns {
			if err := columns[i].Add(s.Products, column); err != nil {
				return Segment{}, err
			}
		}
	}
	b := NewBuilder(len(columns))
	values := make([]int64, len(columns))
	if len(columns) == 0 {
		return b.Segment(), nil
	}
	for product := range columns[0].All() {
		for i, column := range columns {
			values[i] = column.Of(product)
		}
		if err := b.Add(product, values); err != nil {
			return Segment{}, err
		}
	}
	return b.Segment(), nil
}
