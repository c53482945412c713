package userset_test

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/stats/userset"
)

// TestUsers unites the lanes of a chunk, and adds the chunks of a day up.
func TestUsers(t *testing.T) {
	t.Parallel()
	var c userset.Counter[string]
	add := func(day string, chunk int32, users ...uint32) {
		t.Helper()
		stored, err := roaring.BitmapOf(users...).ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(day, chunk, stored); err != nil {
			t.Fatal(err)
		}
	}
	add("first", 0, 1, 2)
	add("first", 0, 2, 3)
	add("first", 1, 1)
	add("second", 1, 1)
	if diff := cmp.Diff(map[string]int64{"first": 4, "second": 1}, c.Users()); diff != "" {
		t.Error(diff)
	}
	if err := c.Add("third", 0, []byte("no set")); err == nil {
		t.Error("bytes that are no set are counted")
	}
	var empty userset.Counter[string]
	if got := empty.Users(); len(got) != 0 {
		t.Errorf("nothing has %v", got)
	}
}
