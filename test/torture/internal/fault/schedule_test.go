package fault_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	longest := time.Duration(0)
	for seed := range uint64(20) {
		for _, duration := range []time.Duration{time.Minute, 5 * time.Minute} {
			faults := fault.Schedule(seed, duration)
			if !reflect.DeepEqual(faults, fault.Schedule(seed, duration)) {
				t.Fatalf("seed %d does not repeat", seed)
			}
			if reflect.DeepEqual(faults, fault.Schedule(seed+1, duration)) {
				t.Fatalf("seeds %d and %d are the same", seed, seed+1)
			}
			for _, kind := range fault.Kinds() {
				if !slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Kind == kind }) {
					t.Errorf("seed %d, %s: no fault of the kind %q", seed, duration, kind)
				}
			}
			for i, f := range faults {
				if i > 0 && f.At < faults[i-1].At || f.At > duration+time.Second {
					t.Errorf("seed %d: %s is out of order", seed, f)
				}
				atOnce := []fault.Action{fault.Wipe, fault.Fill, fault.Cut, fault.Sever, fault.Damage}
				if lasts := !slices.Contains(atOnce, f.Action); lasts != (f.For > 0) || duration == time.Minute && f.For > 5*time.Second {
					t.Errorf("seed %d: %s", seed, f)
				}
				longest = max(longest, f.For)
			}
		}
	}
	if longest < 21*time.Second {
		t.Errorf("no fault lasts longer than %s, so no commit times out", longest)
	}
}

func TestKindsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range fault.Kinds() {
		if seen[kind.String()] {
			t.Errorf("two kinds have the name %q", kind)
		}
		seen[kind.String()] = true
	}
}
