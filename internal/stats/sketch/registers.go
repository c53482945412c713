package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The sparse encoding of the library keeps hashes of sparsePrecision bits.
const (
	sparsePrecision = 25
	maxRank         = 64 - precision + 1
)

// ErrDamaged means that bytes are no stored sketch.
var ErrDamaged = errors.New("not a sketch")

// Registers are a sketch in a form that depends on its users alone. Compare them with ==, at the cost of 4 KiB. They are read
// from stored bytes without the library, which takes a hundred times as long for sketches of a few users.
type Registers [1 << precision]uint8

// Position returns the register that a user's hash belongs to, and its rank there.
func Position(hash uint64) (register uint16, rank uint8) {
	return uint16(hash >> (64 - precision)), uint8(bits.LeadingZeros64(hash<<precision|1<<(precision-1))) + 1
}

// Insert adds the user of a Position.
func (r *Registers) Insert(register uint16, rank uint8) {
	r[register] = max(r[register], rank)
}

// Estimate returns the estimated number of users.
func (r *Registers) Estimate() int64 {
	header := []byte{2, precision, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[4:], uint32(len(r)))
	dense := New()
	if err := dense.UnmarshalBinary(append(header, r[:]...)); err != nil {
		panic("sketch: " + err.Error()) // impossible: every rank is that of a hash, or was checked
	}
	return dense.Estimate()
}

// Merge adds the users of a stored sketch. After an error, which is ErrDamaged, r may have some of them.
func (r *Registers) Merge(stored []byte) error {
	if len(stored) < 8 || stored[0] != 2 || stored[1] != precision || stored[2] != 0 || stored[3] > 1 {
		return fmt.Errorf("%d bytes with a wrong header: %w", len(stored), ErrDamaged)
	}
	size, data := binary.BigEndian.Uint32(stored[4:]), stored[8:]
	if stored[3] == 1 {
		return r.mergeSparse(size, data)
	}
	if size != uint32(len(r)) || len(data) != len(r) {
		return fmt.Errorf("%d bytes of registers: %w", len(data), ErrDamaged)
	}
	for i, rank := range data {
		if rank > maxRank {
			return fmt.Errorf("a register of %d: %w", rank, ErrDamaged)
		}
		r[i] = max(r[i], rank)
	}
	return nil
}

// mergeSparse adds a list of recent keys, and an ascending one that is encoded as differences.
func (r *Registers) mergeSparse(recent uint32, data []byte) error {
	if uint64(len(data)) < uint64(recent)*4+12 || recent > uint32(len(r)) {
		return fmt.Errorf("a list of %d keys in %d bytes: %w", recent, len(data), ErrDamaged)
	}
	for range recent {
		if err := r.insertKey(binary.BigEndian.Uint32(data)); err != nil {
			return err
		}
		data = data[4:]
	}
	count, last, size := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	list := data[12:]
	if uint64(size) != uint64(len(list)) {
		return fmt.Errorf("a list of %d bytes, of which there are %d: %w", size, len(list), ErrDamaged)
	}
	var key uint64
	var n uint32
	for ; len(list) > 0; n++ {
		difference, length := binary.Uvarint(list)
		if length <= 0 || length > 1 && list[length-1] == 0 || difference == 0 && n > 0 || difference > 1<<32-1-key {
			return fmt.Errorf("a list with a damaged key: %w", ErrDamaged)
		}
		key += difference
		if err := r.insertKey(uint32(key)); err != nil {
			return err
		}
		list = list[length:]
	}
	if n != count || key != uint64(last) {
		return fmt.Errorf("a list of %d keys that has %d: %w", count, n, ErrDamaged)
	}
	return nil
}

// insertKey adds a key of a sparse sketch: the first bits of a hash, or, if those after the register are all 0, how many of the
// others are, too.
func (r *Registers) insertKey(key uint32) error {
	var register uint16
	var rank uint8
	if key&1 == 1 {
		register, rank = uint16(key>>(32-precision)), uint8(key>>1&0x3f)+sparsePrecision-precision
	} else {
		register = uint16(key >> (sparsePrecision - precision + 1) & (1<<precision - 1))
		rank = uint8(bits.LeadingZeros32(key<<(32-sparsePrecision+precision-1))) + 1
	}
	if rank > maxRank {
		return fmt.Errorf("a key of the rank %d: %w", rank, ErrDamaged)
	}
	r.Insert(register, rank)
	return nil
}
