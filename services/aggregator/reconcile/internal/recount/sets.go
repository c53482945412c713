package recount

import (
	"cmp"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// chunkUsers is how many numbers of users a chunk of a set has.
const chunkUsers = 65536

// Sets compares the sets of users of days. They are not divided by users, as a set takes two bytes a user at most, and one that
// cannot be read is one difference.
type Sets struct {
	chunks map[chunk]*sides
	broken map[Date]error // why a stored set of a day cannot be read
}

// chunk are the users of a day whose number, divided by chunkUsers, is this.
type chunk struct {
	day    Date
	number int32
}

type sides struct{ stored, recounted *roaring.Bitmap }

func newSets() *Sets {
	return &Sets{chunks: map[chunk]*sides{}, broken: map[Date]error{}}
}

func (s *Sets) chunk(of chunk) *sides {
	c, ok := s.chunks[of]
	if !ok {
		c = &sides{roaring.New(), roaring.New()}
		s.chunks[of] = c
	}
	return c
}

func (s *Sets) add(day Date, user int64) {
	s.chunk(chunk{day, int32(user / chunkUsers)}).recounted.Add(uint32(user % chunkUsers))
}

// AddStored adds the stored set of a chunk and lane.
func (s *Sets) AddStored(day Date, number int32, data []byte) {
	lane := roaring.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		s.broken[day] = err
		return
	}
	s.chunk(chunk{day, number}).stored.Or(lane)
}

// Len returns how many chunks either side has.
func (s *Sets) Len() int { return len(s.chunks) }

// UnlikeSet is a day whose stored users differ from its recount.
type UnlikeSet struct {
	Day              Date
	Missing, TooMany uint64
	Broken           error // why a stored set cannot be read
}

// Differences returns the days whose sides differ, in order.
func (s *Sets) Differences() []UnlikeSet {
	days := map[Date]UnlikeSet{}
	for of, c := range s.chunks {
		both := c.stored.AndCardinality(c.recounted)
		missing, tooMany := c.recounted.GetCardinality()-both, c.stored.GetCardinality()-both
		if missing+tooMany > 0 {
			day := days[of.day]
			days[of.day] = UnlikeSet{Day: of.day, Missing: day.Missing + missing, TooMany: day.TooMany + tooMany}
		}
	}
	for day, err := range s.broken {
		days[day] = UnlikeSet{Day: day, Broken: err}
	}
	return slices.SortedFunc(maps.Values(days), func(a, b UnlikeSet) int { return cmp.Compare(a.Day, b.Day) })
}
