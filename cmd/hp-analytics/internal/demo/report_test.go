package demo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

func TestGrouped(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1_000: "1,000", -12_345: "-12,345", -123: "-123", 1_234_567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestManyDifferencesAreCut(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 20, 21, 1_020} {
		differences := make([]Difference, n)
		for i := range differences {
			differences[i] = Difference{What: "views", Subject: fmt.Sprintf("product %d", i), Platform: 1, Own: 2}
		}
		var out strings.Builder
		writeDifferences(&out, differences)
		if got := strings.Count(out.String(), "should be"); got != min(n, 20) {
			t.Errorf("%d differences: %d lines", n, got)
		}
		if more := fmt.Sprintf("and %s more", grouped(int64(n-20))); strings.Contains(out.String(), "more") != (n > 20) || n > 20 && !strings.Contains(out.String(), more) {
			t.Errorf("%d differences:\n%s", n, out.String())
		}
	}
}

// TestProgressWithoutTerminal: the steps take no time and print no line; of two retries in a row the first prints one.
func TestProgressWithoutTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // lines depend on the time between them
		var out strings.Builder
		p := newProgress(&out)
		p.begin("sending", 1_000)
		for range 100 {
			p.add(10)
		}
		p.retrying(errors.New("connection refused"))
		p.retrying(errors.New("connection refused"))
		p.end()
		if want := "  sending: retrying: connection refused\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	})
}
