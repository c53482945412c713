// Package userset counts the users of days exactly, from the sets that are stored (stats.daily_user_sets).
//
// A set is a roaring bitmap of the users of a day whose numbers have the same quotient by 65,536, the chunk. Each lane of the aggregators has one
// of its own, so the lanes of a chunk are united, and the chunks, which share no users, are added up.
package userset

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

// Counter counts users by Day, which is any type of days. The sets are added in the order of their days and chunks.
type Counter[Day comparable] struct {
	users map[Day]int64
	at    place[Day]
	set   *roaring.Bitmap // united so far at a place; nil before the first
}

type place[Day comparable] struct {
	day   Day
	chunk int32
}

// Add adds the set of a lane.
func (c *Counter[Day]) Add(day Day, chunk int32, stored []byte) error {
	if at := (place[Day]{day, chunk}); c.set == nil || at != c.at {
		c.close()
		c.at, c.set = at, roaring.New()
	}
	lane := roaring.New()
	if err := lane.UnmarshalBinary(stored); err != nil {
		return fmt.Errorf("decode a set of users: %w", err)
	}
	c.set.Or(lane)
	return nil
}

// Users returns the number of users of each day with any.
func (c *Counter[Day]) Users() map[Day]int64 {
	c.close()
	return c.users
}

func (c *Counter[Day]) close() {
	if c.users == nil {
		c.users = map[Day]int64{}
	}
	if c.set != nil {
		c.users[c.at.day] += int64(c.set.GetCardinality())
	}
	c.set = nil
}
