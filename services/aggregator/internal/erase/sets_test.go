package erase_test

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// contains reports whether a user of the first chunk is part of a set.
func contains(t *testing.T, data []byte, user int64) bool {
	t.Helper()
	set := roaring.New()
	if err := set.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return set.Contains(uint32(user))
}
