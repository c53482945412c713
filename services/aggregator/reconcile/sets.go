package reconcile

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

// daySets are the two sides of the comparison of the users of a day.
type daySets struct {
	stored, recounted userSet
	broken            error // why a stored set cannot be read
}

func newDaySets() *daySets {
	return &daySets{stored: newUserSet(), recounted: newUserSet()}
}

// addStored adds the stored set of a chunk and lane.
func (d *daySets) addStored(chunk int32, data []byte) {
	lane := roaring.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		d.broken = err
		return
	}
	d.stored.chunk(chunk).Or(lane)
}

// difference says how the sides differ; it is empty if they do not.
func (d *daySets) difference() string {
	if d.broken != nil {
		return fmt.Sprintf("the users cannot be read: %v", d.broken)
	}
	missing, extra := d.recounted.minus(d.stored), d.stored.minus(d.recounted)
	if missing == 0 && extra == 0 {
		return ""
	}
	return fmt.Sprintf("%d users are missing, %d too many", missing, extra)
}

// userSet is a set of users, by the number of a user divided by 65536.
type userSet struct{ chunks map[int32]*roaring.Bitmap }

func newUserSet() userSet { return userSet{chunks: map[int32]*roaring.Bitmap{}} }

func (s userSet) chunk(number int32) *roaring.Bitmap {
	users, ok := s.chunks[number]
	if !ok {
		users = roaring.New()
		s.chunks[number] = users
	}
	return users
}

func (s userSet) add(user int64) { s.chunk(int32(user / 65536)).Add(uint32(user % 65536)) }

// minus returns how many users of s are not in o.
func (s userSet) minus(o userSet) (n uint64) {
	for number, users := range s.chunks {
		n += users.GetCardinality()
		if others, ok := o.chunks[number]; ok {
			n -= users.AndCardinality(others)
		}
	}
	return n
}

// all yields every user of the set.
func (s userSet) all(yield func(int64) bool) {
	for number, users := range s.chunks {
		for users := users.Iterator(); users.HasNext(); {
			if !yield(int64(number)*65536 + int64(users.Next())) {
				return
			}
		}
	}
}
