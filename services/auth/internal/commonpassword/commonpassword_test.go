package commonpassword

import (
	"bufio"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestEveryEntryCounts checks that the list can be searched, and that at least 10,000 of its passwords would otherwise be
// accepted: the others are too short anyway.
func TestEveryEntryCounts(t *testing.T) {
	t.Parallel()
	var entries []string
	for lines := bufio.NewScanner(strings.NewReader(list)); lines.Scan(); {
		entries = append(entries, lines.Text())
	}
	if len(entries) < 10_000 {
		t.Errorf("%d entries", len(entries))
	}
	if !slices.IsSorted(entries) || len(slices.Compact(slices.Clone(entries))) != len(entries) {
		t.Error("the entries are not sorted and distinct")
	}
	for _, entry := range entries {
		if utf8.RuneCountInString(entry) < MinRunes || Fold(entry) != entry {
			t.Errorf("%q is too short or not folded", entry)
		}
		if !Contains(entry) || !Contains(strings.ToUpper(entry)) {
			t.Errorf("%q is not found", entry)
		}
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]bool{
		"qwertyuiop": true, "QWERTYuiop": true, "Password123": true, "changeme1234": true,
		"": false, "qwertyuio": false, "qwertyuiop\n": false, "correct horse battery": false, "!": false, "\xff\xff\xff": false, "zzzzzzzzzzzzzzzzzzzz!": false,
	} {
		if Contains(password) != want {
			t.Errorf("%q: %t", password, !want)
		}
	}
}

// TestSearchNeedsNoMemory checks that the list is searched as it is.
func TestSearchNeedsNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { find("correct horse battery") }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
