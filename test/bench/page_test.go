package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readOf returns a table of reads with one row for each set of cells.
func readOf(rows ...[]string) table {
	return table{keys: []string{"read", "keys"}, numbers: []string{rateColumn, "p99 ms", "CPU µs/request", noiseColumn}, rows: rows}
}

// TestRewritten replaces the same table twice and checks that the text around it stays, and what is marked.
func TestRewritten(t *testing.T) {
	t.Parallel()
	page := "# Page\n\n<!-- bench: reads -->\n<!-- bench: end of reads -->\nafter | it\n"
	first, err := rewritten(page, "reads", "first run", readOf(
		[]string{"product", "one", "1,000", "1.0", "50.0", "4 %"},
		[]string{"product", "all", "1,000", "1.0", "50.0", "20 %"},
		[]string{"gone", "", "1", "1", "1", ""},
	))
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Page

<!-- bench: reads -->

first run

| read | keys | requests/s | p99 ms | CPU µs/request | ± |
|---|---|--:|--:|--:|--:|
| product | one | 1,000 | 1.0 | 50.0 | 4 % |
| product | all | 1,000 | 1.0 | 50.0 | 20 % |
| gone |  | 1 | 1 | 1 |  |

<!-- bench: end of reads -->
after | it
`
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("the first time (-want +got):\n%s", diff)
	}
	next := readOf(
		[]string{"product", "one", "1,090", "9.0", "40.0", "5 %"}, // within and beyond 10 %
		[]string{"product", "all", "1,000", "1.0", "61.0", "5 %"}, // beyond its own noise, and not beyond that of both
		[]string{"new", "", "9", "9", "9", ""},
	)
	second, err := rewritten(first, "reads", "second run", next)
	if err != nil {
		t.Fatal(err)
	}
	wantRows := [][]string{
		{"product", "one", "1,090", "9.0", "40.0 (was 50.0)", "5 %"},
		{"product", "all", "1,000", "1.0", "61.0", "5 %"},
		{"new", "", "9", "9", "9", ""},
	}
	if diff := cmp.Diff(wantRows, parse(second).rows); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
	if strings.Contains(second, "first run") || !strings.HasPrefix(second, "# Page\n") || !strings.HasSuffix(second, "after | it\n") {
		t.Errorf("the page around the table:\n%s", second)
	}
	// A mark is read as the number before it.
	third, err := rewritten(second, "reads", "third run", readOf([]string{"product", "one", "2,000", "9.0", "41.0", ""}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"product", "one", "2,000 (was 1,090)", "9.0", "41.0", ""}}, parse(third).rows); diff != "" {
		t.Errorf("the third time (-want +got):\n%s", diff)
	}
}

func TestNoMarkers(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "<!-- bench: reads -->\n", "<!-- bench: end of reads -->\n<!-- bench: reads -->\n"} {
		if _, err := rewritten(page, "reads", "", readOf()); !errors.Is(err, errMarkers) {
			t.Errorf("%q: %v", page, err)
		}
	}
}

// TestPageHasAllTables checks that the page of the repository has a place for every table that belongs there, and that what is there is a table.
func TestPageHasAllTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../BENCHMARKS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		if s.name == "versions" {
			continue // which two versions are compared is not for the page
		}
		if _, err := rewritten(string(page), s.name, "", table{}); err != nil {
			t.Error(err)
		}
	}
}
