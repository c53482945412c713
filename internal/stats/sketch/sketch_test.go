package sketch_test

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

func users(from, to int) *sketch.Sketch {
	s := sketch.New()
	for i := from; i < to; i++ {
		s.Insert(int64(i))
	}
	return s
}

// Three standard errors are exceeded by chance once in 370; the users here are fixed, so once is for ever.
func TestErrorStaysWithinWhatIsStated(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 100, 1_000, 3_000, 10_000, 20_000, 100_000, 1_000_000} {
		got := users(0, n).Estimate()
		if off := math.Abs(float64(got) - float64(n)); off > 3*sketch.StandardError*float64(n) {
			t.Errorf("%d users are estimated as %d (%.2f %% off)", n, got, 100*off/float64(n))
		} else {
			t.Logf("%8d users: %8d (%.2f %% off)", n, got, 100*off/math.Max(1, float64(n)))
		}
	}
	for _, n := range []int{0, 1, 10, 100} {
		if got := users(0, n).Estimate(); got != int64(n) {
			t.Errorf("%d users are estimated as %d: small numbers are exact", n, got)
		}
	}
}

// However the users come, split up, in which order, through storage: the sketch is the same.
func TestTheSameUsersAreEqualWhateverTheWay(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 50, 1_500, 2_500, 20_000} {
		want := users(0, n)
		parts := make([]*sketch.Sketch, 7)
		for i := range parts {
			parts[i] = sketch.New()
		}
		for _, i := range random.Perm(2 * n) { // each user twice
			parts[random.IntN(len(parts))].Insert(int64(i % n))
		}
		got := sketch.New()
		for _, part := range parts {
			data, err := part.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			stored := sketch.New()
			if err := stored.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if err := got.Merge(stored); err != nil {
				t.Fatal(err)
			}
		}
		if !equal(t, want, got) {
			t.Errorf("%d users: not equal", n)
		}
		got.Insert(1 << 40)
		got.Insert(1<<40 + 1)
		if equal(t, want, got) && n < 2_000 {
			t.Errorf("%d users: still equal after two more", n)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	s := users(0, 60)
	for _, other := range []*sketch.Sketch{nil, sketch.New(), users(40, 100)} {
		if err := s.Merge(other); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Estimate(); got != 100 {
		t.Errorf("0–59 and 40–99 are %d users", got)
	}
}

func TestUnmarshalRefusesNonsense(t *testing.T) {
	t.Parallel()
	data, err := users(0, 5000).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, {1}, []byte("nonsense"), data[:len(data)/2], append(data, 0)} {
		if err := sketch.New().UnmarshalBinary(bad); err == nil {
			t.Errorf("%d bytes of nonsense were taken", len(bad))
		}
	}
}

// What is stored by one release must be read by the next, whatever the library's version: a change here needs a migration.
func TestStoredFormatIsStable(t *testing.T) {
	t.Parallel()
	const wantHash = 0x9f29cb17a2a49995
	if got := sketch.Hash(1); got != wantHash {
		t.Errorf("Hash = %#x, want %#x", got, uint64(wantHash))
	}
	golden, err := os.ReadFile("testdata/users-0-4.hex")
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(golden)))
	if err != nil {
		t.Fatal(err)
	}
	stored := sketch.New()
	if err := stored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if !equal(t, stored, users(0, 5)) {
		t.Errorf("a stored sketch of 5 users reads as %d", stored.Estimate())
	}
}
