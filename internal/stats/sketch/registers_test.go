package sketch_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/axiomhq/hyperloglog"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// equal reports whether two sketches represent the same users. How they are encoded depends on the order of insertion.
func equal(t *testing.T, a, b *sketch.Sketch) bool {
	t.Helper()
	var registers [2]sketch.Registers
	for i, s := range []*sketch.Sketch{a, b} {
		data, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := registers[i].Merge(data); err != nil {
			t.Fatal(err)
		}
	}
	return registers[0] == registers[1]
}

// registersOf returns the registers of users without a sketch.
func registersOf(from, to int) *sketch.Registers {
	r := &sketch.Registers{}
	for user := from; user < to; user++ {
		r.Insert(sketch.Position(sketch.Hash(int64(user))))
	}
	return r
}

// Registers of stored sketches of any size, and of any history, are those of their users.
func TestRegistersAreThoseOfTheUsers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 40, 41, 42, 100, 1_000, 1_500, 3_000, 5_000, 100_000} {
		whole, parts := users(0, n), users(0, n/3)
		for _, part := range []*sketch.Sketch{users(n/2, n), users(n/3, n/2)} {
			data, err := part.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			stored := sketch.New()
			if err := stored.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if err := parts.Merge(stored); err != nil {
				t.Fatal(err)
			}
		}
		want := registersOf(0, n)
		for _, s := range []*sketch.Sketch{whole, parts} {
			data, err := s.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got := &sketch.Registers{}
			if err := got.Merge(data); err != nil || *got != *want {
				t.Errorf("%d users: the registers of %d bytes differ, %v", n, len(data), err)
			}
		}
		if got := want.Estimate(); float64(got) < 0.93*float64(n) || float64(got) > 1.07*float64(n) {
			t.Errorf("%d users are estimated as %d", n, got)
		}
	}
}

// The library and Registers read and refuse the same bytes.
func FuzzRegisters(f *testing.F) {
	for _, n := range []int{0, 1, 30, 500, 5_000} {
		data, err := users(0, n).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		random := rand.New(rand.NewPCG(uint64(n), 5))
		for range 300 {
			damaged := append([]byte(nil), data...)
			damaged[random.IntN(min(len(data), 40))] ^= byte(1 << random.IntN(8))
			f.Add(damaged[:len(damaged)-random.IntN(2)])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dense, err := hyperloglog.NewSketch(12, false)
		if err != nil {
			t.Fatal(err)
		}
		stored, got := &hyperloglog.Sketch{}, &sketch.Registers{}
		wantErr := stored.UnmarshalBinary(data)
		if wantErr == nil {
			wantErr = dense.Merge(stored) // which refuses another precision
		}
		if wantErr == nil && data[0] == 1 {
			return // the library reads a former version, too, in which nothing was ever stored
		}
		err = got.Merge(data)
		if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, sketch.ErrDamaged) {
			t.Fatalf("%x: %v, the library: %v", data[:min(len(data), 64)], err, wantErr)
		}
		if err != nil {
			return
		}
		want, err := dense.MarshalBinary()
		if err != nil || !bytes.Equal(want[8:], got[:]) {
			t.Fatalf("%x: the registers differ from those of the library, %v", data[:min(len(data), 64)], err)
		}
	})
}
