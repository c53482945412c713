// Package sketch estimates the number of distinct users in a few kilobytes, however many there are. Sketches can be merged, so
// the users of a range of days are estimated from the sketches of its days.
//
// It is HyperLogLog (Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm",
// 2007) with 2^12 registers, in the implementation of github.com/axiomhq/hyperloglog. The standard error is
// 1.04/sqrt(2^12) = 1.6 %. Small numbers are nearly exact, because the registers are a sparse list at first.
//
// Hash, precision and encoding are a format of stored data: a change of any of them needs a migration.
package sketch

import (
	"encoding/binary"
	"fmt"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
)

// precision is the binary logarithm of the number of registers. With 12 a sketch takes 4 KiB at most.
const precision = 12

// StandardError is the relative standard error of Estimate: 1.04/sqrt(2^12).
const StandardError = 0.01625

// Sketch is a set of users that can be counted but not listed. It is not safe for concurrent use.
type Sketch struct{ hll *hyperloglog.Sketch }

// New returns an empty sketch.
func New() *Sketch {
	hll, err := hyperloglog.NewSketch(precision, true)
	if err != nil {
		panic("sketch: " + err.Error()) // impossible: the precision is a valid constant
	}
	return &Sketch{hll: hll}
}

// Insert adds a user by number (ingest.users.n).
func (s *Sketch) Insert(user int64) { s.InsertHash(Hash(user)) }

// Hash returns the hash of a user in sketches: xxHash64 with seed 0 of the number as 8 bytes, little-endian.
func Hash(user int64) uint64 {
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(user))
	return xxhash.Sum64(number[:])
}

// InsertHash adds a user by its Hash.
func (s *Sketch) InsertHash(hash uint64) { s.hll.InsertHash(hash) }

// Merge adds all users of other. A nil other is an empty sketch.
func (s *Sketch) Merge(other *Sketch) error {
	if other == nil {
		return nil
	}
	if err := s.hll.Merge(other.hll); err != nil {
		return fmt.Errorf("merge sketches: %w", err)
	}
	return nil
}

// Estimate returns the estimated number of users.
func (s *Sketch) Estimate() int64 { return int64(s.hll.Estimate()) }

// MarshalBinary encodes the sketch for storage.
func (s *Sketch) MarshalBinary() ([]byte, error) {
	data, err := s.hll.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode a sketch: %w", err)
	}
	return data, nil
}

// UnmarshalBinary replaces s by a stored sketch.
func (s *Sketch) UnmarshalBinary(data []byte) error {
	var hll hyperloglog.Sketch
	if err := hll.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("decode a sketch: %w", err)
	}
	s.hll = &hll
	return nil
}
