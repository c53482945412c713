package postgres

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// maxCategoryTotals bounds the totals that are remembered, some 200 bytes for a segment and a category: those of a year of 400 categories.
const maxCategoryTotals = 50_000

// categoryTotals remembers what the products of a category add up to in a segment. Such totals hold for ever, because neither a segment
// nor a set of products changes: a fold, a merge and a rebuild store other segments, and a category with other products is another
// set. So nothing needs to be told of a change. It is safe for concurrent use.
type categoryTotals struct {
	known *otter.Cache[totalsKey, []int64]
}

// totalsKey names a segment and a set of products. The totals of the segment are part of it: a database that is restored to an
// earlier state gives the number of a lost segment to another one.
type totalsKey [sha256.Size]byte

func newCategoryTotals() categoryTotals {
	return categoryTotals{otter.Must(&otter.Options[totalsKey, []int64]{MaximumSize: maxCategoryTotals})}
}

// category is a set of products whose totals are looked up.
type category struct {
	*segment.Set

	digest [sha256.Size]byte // of the products
	totals categoryTotals
}

func newCategory(products []int32, totals categoryTotals) *category {
	set := segment.NewSet(products)
	return &category{set, sha256.Sum256(set.Append(nil)), totals}
}

// of returns the key of the totals in a segment.
func (c *category) of(t *segment.Table, s segment.Stored) totalsKey {
	text := make([]byte, 0, 256)
	text = append(append(text, c.digest[:]...), t.Name...)
	text = binary.LittleEndian.AppendUint64(append(text, 0), uint64(s.ID))
	return sha256.Sum256(append(text, s.Totals...))
}

// recall returns the totals in a segment, if they are known; none if the segment has no product of the category.
func (c *category) recall(t *segment.Table, s segment.Stored) (values []int64, known bool) {
	return c.totals.known.GetIfPresent(c.of(t, s))
}

// add computes the totals in a segment with all its columns, and remembers them.
func (c *category) add(t *segment.Table, s segment.Stored) ([]int64, error) {
	values := make([]int64, len(t.Columns))
	found, err := c.AddTotals(values, s.Segment)
	if err != nil {
		return nil, err
	}
	if !found {
		values = nil
	}
	c.totals.known.Set(c.of(t, s), values)
	return values, nil
}
