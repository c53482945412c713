package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// line is a row of the printed table.
type line map[string]string

// number reads a cell.
func (l line) number(t *testing.T, column string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(l[column], ",", ""), 64)
	if err != nil {
		t.Errorf("%s: not a number in column %s: %q", l["work"], column, l[column])
	}
	return n
}

func parseTable(t *testing.T, out string) (lines []line) {
	t.Helper()
	cells := func(s string) []string {
		parts := strings.Split(strings.Trim(s, "|"), "|")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	}
	var header []string
	for s := range strings.Lines(out) {
		s = strings.TrimSpace(s)
		switch {
		case !strings.HasPrefix(s, "|"), strings.HasPrefix(s, "|---"):
		case header == nil:
			header = cells(s)
		default:
			values, l := cells(s), line{}
			if len(values) != len(header) {
				t.Fatalf("%d cells below %d headings: %s", len(values), len(header), s)
			}
			for i, name := range header {
				l[name] = values[i]
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// expected describes a row, which is found by the beginning of its name.
type expected struct {
	name    string
	latency bool     // percentiles
	rates   bool     // events per second
	busy    []string // columns of CPU time that cannot be empty
}

func expectedRows() []expected {
	front := []string{"service", "Postgres", "load"} // the others may do less than the kernel's clock resolves in such a short time
	return []expected{
		{"events", true, true, front},
		{"events, folding on", true, true, front},
		{"events, half of that offered (", true, true, front},
		{"… sent until seen in GET", true, false, nil},
		{"… sent until the receipt says", true, false, nil},
		{"… sent until the rollup row", true, false, nil},
		{"purchases", true, true, front},
		{"bulk of 100", true, true, front},
		{"bulk of 1,000", true, true, front},
		{"bulk of 1,000 NDJSON", true, true, front},
		{"bulk of 1,000 zstd", true, true, front},
		{"bulk of 1,000, folding on", true, true, front},
		{"… after these 400ms until everything is folded", false, false, nil},
		{"drain, 1 worker", false, true, []string{"worker", "Postgres"}},
		{"drain, 2 workers", false, true, []string{"worker", "Postgres"}},
		{"drain, 4 workers", false, true, []string{"worker", "Postgres"}},
		{"drain, 8 workers", false, true, []string{"worker", "Postgres"}},
		{"raw: COPY of 1,000", false, true, []string{"Postgres"}},
		{"raw: COPY of 4,000", false, true, []string{"Postgres"}},
		{"raw: net/http + encoding/json", true, true, []string{"service", "load"}},
		{"baseline events", true, true, front},
		{"baseline events, worker on", true, true, front},
		{"… after these 400ms until the rollups are correct", false, false, nil},
		{"baseline bulk of 1,000 (loop)", true, true, front},
		{"baseline drain", false, true, []string{"worker", "Postgres"}},
	}
}

// TestBench runs every workload briefly: no row may be missing, and every number must be plausible. The reconcile workload
// checks that the platform's own numbers are right.
func TestBench(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	// With the flags of the Makefile, so that both share Go's build cache.
	build := exec.Command("go", "build", "-trimpath", "-o", bin+"/", "./baseline", "../../cmd/hp-analytics", "../../services/auth/cmd/auth", "../../services/catalog/cmd/catalog",
		"../../services/ingest/cmd/ingest", "../../services/analytics/cmd/analytics", "../../services/aggregator/cmd/aggregator")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	var stdout, stderr bytes.Buffer
	begin := time.Now()
	if code := run([]string{"-bin", bin, "-duration", "400ms", "-connections", "8"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stderr.String(), stdout.String())
	}
	t.Logf("after %s:\n%s", time.Since(begin).Round(time.Millisecond), stdout.String())
	lines, want := parseTable(t, stdout.String()), expectedRows()
	if len(lines) != len(want) {
		t.Fatalf("%d rows, want %d", len(lines), len(want))
	}
	for i, l := range lines {
		l.check(t, want[i])
	}
	for _, note := range []string{": 0 differences", "bulk of 1,000 / raw: COPY of 1,000: ", "bulk of 1,000 / raw: COPY of 4,000: "} {
		if !strings.Contains(stdout.String(), note) {
			t.Errorf("the notes below the table lack %q", note)
		}
	}
}

func (l line) check(t *testing.T, want expected) {
	t.Helper()
	if !strings.HasPrefix(l["work"], want.name) {
		t.Errorf("row %q, want %q", l["work"], want.name)
	}
	if p50 := l["p50 ms"]; p50 == "" && (want.latency || !want.rates) {
		t.Errorf("%s: no duration", l["work"])
	}
	if want.latency {
		p50, p95, p99 := l.number(t, "p50 ms"), l.number(t, "p95 ms"), l.number(t, "p99 ms")
		if p50 <= 0 || p50 > p95 || p95 > p99 || p99 > 60_000 {
			t.Errorf("%s: implausible percentiles %g, %g, %g", l["work"], p50, p95, p99)
		}
		if l["errors"] != "0" {
			t.Errorf("%s: errors: %s", l["work"], l["errors"])
		}
	}
	if want.rates {
		if events := l.number(t, "events/s"); events < 10 || events > 1e8 {
			t.Errorf("%s: implausible: %g events/s", l["work"], events)
		}
		if total := l.number(t, "CPU µs/event"); total <= 0 || total > 1e5 {
			t.Errorf("%s: implausible: %g µs per event", l["work"], total)
		}
	}
	for _, column := range want.busy {
		if l.number(t, column) <= 0 {
			t.Errorf("%s: no CPU time in column %s", l["work"], column)
		}
	}
}

func TestUnknownFlag(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-speed"}, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), "-speed") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
