package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// line is a row of a printed table.
type line map[string]string

// number reads a cell.
func (l line) number(t *testing.T, column string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(l[column], ",", ""), 64)
	if err != nil {
		t.Errorf("%v: not a number in column %s: %q", l, column, l[column])
	}
	return n
}

// lines returns the rows of a table.
func (t table) lines(tb testing.TB) (all []line) {
	tb.Helper()
	columns := slices.Concat(t.keys, t.numbers)
	for _, cells := range t.rows {
		l := line{}
		for i, name := range columns {
			l[name] = cells[i]
		}
		all = append(all, l)
	}
	return all
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
		{"naive events", true, true, front},
		{"naive events, worker on", true, true, front},
		{"… after these 400ms until the rollups are correct", false, false, nil},
		{"naive bulk of 1,000 (loop)", true, true, front},
		{"naive drain", false, true, []string{"worker", "Postgres"}},
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
	page := filepath.Join(t.TempDir(), "page.md")
	var places strings.Builder
	for _, s := range sections() {
		begin, end := markers(s.name)
		places.WriteString(begin + end)
	}
	if err := os.WriteFile(page, []byte(places.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	begin := time.Now()
	if code := run([]string{"-bin", bin, "-root", "../..", "-page", page, "-short", "-duration", "400ms", "-connections", "8", "-products", "1000"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stderr.String(), stdout.String())
	}
	t.Logf("after %s:\n%s", time.Since(begin).Round(time.Millisecond), stdout.String())
	checkReads(t, tableOn(t, page, "reads"))
	checkContests(t, tableOn(t, page, "baseline"))
	checkOverloads(t, tableOn(t, page, "overload"))
	lines, want := tableOn(t, page, "writes").lines(t), expectedRows()
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

// tableOn reads a table of the page.
func tableOn(t *testing.T, page, name string) table {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := markers(name)
	_, rest, _ := strings.Cut(string(text), begin)
	inside, _, _ := strings.Cut(rest, end)
	if !strings.Contains(inside, " cores") || !strings.Contains(inside, "400ms a load") {
		t.Errorf("the caption of %s does not say where it was measured: %.200s", name, inside)
	}
	return parse(inside)
}

// checkReads checks that every read was measured under all conditions of the short run.
func checkReads(t *testing.T, reads table) {
	t.Helper()
	conditions := []string{
		"one warm 8 direct", "all cold 8 direct", "all warm 8 direct", "one warm 64 direct", "one warm 8 nginx", "one warm 64 nginx",
	}
	var want []string
	for _, read := range []string{"product", "list of 20", "top", "series", "user summary", "overview", "health"} {
		for _, c := range conditions {
			if read != "health" || strings.HasPrefix(c, "one") {
				if read == "series" { // Redis forgets the first one before all have been asked for
					c = strings.Replace(c, "all warm", "1,000 warm", 1)
				}
				want = append(want, read+" "+c)
			}
		}
	}
	want = append(want, "raw: net/http with the bytes of a product one  8 direct")
	var got []string
	for _, l := range reads.lines(t) {
		name := strings.Join([]string{l["read"], l["keys"], l["cache"], l["connections"], l["via"]}, " ")
		got = append(got, name)
		mean, p50, p95, p99 := l.number(t, "mean ms"), l.number(t, "p50 ms"), l.number(t, "p95 ms"), l.number(t, "p99 ms")
		if p50 > p95 || p95 > p99 || mean <= 0 || l["errors"] != "0" || l.number(t, rateColumn) < 1 || l.number(t, "CPU µs/request") <= 0 {
			t.Errorf("implausible: %v", l)
		}
		if l["via"] == "nginx" && l.number(t, "nginx") <= 0 {
			t.Errorf("%s: no CPU time of nginx", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

// checkContests checks that both sides of every contest were measured, and that the caches of the baseline were off: reads of
// few keys ask Postgres every time.
func checkContests(t *testing.T, contests table) {
	t.Helper()
	var want, got []string
	for _, work := range []string{
		"product", "list of 20", "top", "series", "user summary", "overview", "health", "events", "purchases", "bulk of 100", "bulk of 1,000",
	} {
		want = append(want, work+" baseline", work+" optimised")
	}
	for _, l := range contests.lines(t) {
		got = append(got, l["work"]+" "+l["side"])
		if l["errors"] != "0" || l.number(t, rateColumn) <= 0 || l.number(t, "mean ms") <= 0 || l.number(t, "CPU µs/request") <= 0 {
			t.Errorf("implausible: %v", l)
		}
		if l["side"] == "baseline" && l["work"] != "health" && l.number(t, "Postgres") <= 0 {
			t.Errorf("the baseline answers without Postgres: %v", l)
		}
		if ratio := strings.TrimSuffix(l["CPU"], "x"); (ratio != "") != (l["side"] == "optimised") {
			t.Errorf("the ratio of %v", l)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contests (-want +got):\n%s", diff)
	}
}

// checkOverloads checks that more was offered than the services answer, and that what was too much was refused.
func checkOverloads(t *testing.T, overloads table) {
	t.Helper()
	var names []string
	for _, l := range overloads.lines(t) {
		names = append(names, l["work"])
		most, offered, answered := l.number(t, "maximum/s"), l.number(t, "offered/s"), l.number(t, "answered/s")
		if most < 1 || answered < 1 || offered < answered || l.number(t, "p99 ms at the maximum") <= 0 || l.number(t, "p99 ms") <= 0 {
			t.Errorf("implausible: %v", l)
		}
		// The rest of what is offered is refused. There is no rest if the maximum was measured while the machine had other work.
		if answered < offered && l.number(t, "refused") < 1 || l["other errors"] != "0" {
			t.Errorf("%s: %s refused, %s", l["work"], l["refused"], l["other errors"])
		}
		if l.number(t, "CPU µs/refusal") <= 0 || l.number(t, "MiB at first") < 1 || l.number(t, "MiB at last") < 1 {
			t.Errorf("implausible: %v", l)
		}
	}
	if diff := cmp.Diff([]string{"events", "bulk of 100", "top, not cached"}, names); diff != "" {
		t.Errorf("overloads (-want +got):\n%s", diff)
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

func TestWrongFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-speed"}, {"-only", "("}, {"-tables", "reads,writing"}, {"-products", "999"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), args[0]) {
			t.Errorf("%v: exit code %d: %s", args, code, stderr.String())
		}
	}
}
