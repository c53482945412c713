package rollup

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

func productDayUsers(d *Deltas, yield func(Key, Blob) bool) {
	eachIn(d.eachDay, func(of *day) map[int32]*productDay { return of.products }, cmp.Compare[int32],
		func(key Key, product int32, of *productDay) bool {
			key.Product = product
			return of.users == nil || yield(key, sketchBlob{of.users})
		})
}

func nameDayUsers(d *Deltas, yield func(Key, Blob) bool) {
	eachIn(d.eachDay, func(of *day) map[stats.Name]*nameDay { return of.names }, cmp.Compare[stats.Name],
		func(key Key, name stats.Name, of *nameDay) bool {
			key.Name = name
			return of.users == nil || yield(key, sketchBlob{of.users})
		})
}

func dayUsers(d *Deltas, yield func(Key, Blob) bool) {
	for key, of := range d.eachDay {
		if len(of.users) == 0 {
			continue
		}
		users := sketch.New()
		for _, user := range of.sortedUsers() { // the order is part of how a sketch is encoded
			users.Insert(user)
		}
		if !yield(key, sketchBlob{users}) {
			return
		}
	}
}

func dayUserSets(d *Deltas, yield func(Key, Blob) bool) {
	for key, of := range d.eachDay {
		users := of.sortedUsers()
		for len(users) > 0 {
			key.Chunk = chunkOf(users[0])
			n := 1
			for n < len(users) && chunkOf(users[n]) == key.Chunk {
				n++
			}
			if !yield(key, setBlob(users[:n])) {
				return
			}
			users = users[n:]
		}
	}
}

// chunkBits is how many bits of a user's number are its place in a chunk.
const chunkBits = 16

func chunkOf(user int64) int32 { return int32(user >> chunkBits) }

// sketchBlob is a sketch of users.
type sketchBlob struct{ users *sketch.Sketch }

// Merge implements Blob. On a busy day most users were seen before, so most sketches stay the same.
func (s sketchBlob) Merge(stored []byte) ([]byte, error) {
	if stored == nil {
		return s.users.MarshalBinary()
	}
	merged := sketch.New()
	if err := merged.UnmarshalBinary(stored); err != nil {
		return nil, err
	}
	if err := merged.Merge(s.users); err != nil {
		return nil, err
	}
	data, err := merged.MarshalBinary()
	if err != nil || bytes.Equal(stored, data) {
		return nil, err
	}
	return data, nil
}

// setBlob is a set of users of one chunk, in ascending order.
type setBlob []int64

// Merge implements Blob.
func (s setBlob) Merge(stored []byte) ([]byte, error) {
	set := roaring.New()
	if stored != nil {
		if err := set.UnmarshalBinary(stored); err != nil {
			return nil, fmt.Errorf("decode a set of users: %w", err)
		}
	}
	before := set.GetCardinality()
	for _, user := range s {
		set.Add(uint32(user & (1<<chunkBits - 1)))
	}
	if set.GetCardinality() == before {
		return nil, nil
	}
	set.RunOptimize() // the set alone decides about the bytes, and neighbours take no space
	data, err := set.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("encode a set of users: %w", err)
	}
	return data, nil
}

// sameSketch implements Table.SameUsers. The bytes of equal sketches differ by the order in which users came.
func sameSketch(counted []byte, lanes [][]byte) bool {
	var want, got sketch.Registers
	if want.Merge(counted) != nil {
		return false
	}
	for _, lane := range lanes {
		if got.Merge(lane) != nil {
			return false
		}
	}
	return got == want
}

// sameSet implements Table.SameUsers.
func sameSet(counted []byte, lanes [][]byte) bool {
	want, got := roaring.New(), roaring.New()
	if want.UnmarshalBinary(counted) != nil {
		return false
	}
	for _, data := range lanes {
		lane := roaring.New()
		if lane.UnmarshalBinary(data) != nil {
			return false
		}
		got.Or(lane)
	}
	return got.Equals(want)
}
