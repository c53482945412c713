package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	name     string
	requests float64 // a second
	events   float64 // a second
	p50, p95 time.Duration
	p99      time.Duration
	perEvent map[string]float64 // CPU µs per event by process, those with next to nothing left out
	total    float64            // of all processes
	memory   int                // MiB of ingest at the end
}

func newRow(name string, o outcome, perRequest int, before, after map[string]time.Duration) row {
	r := row{
		name: name, p50: o.percentile(50), p95: o.percentile(95), p99: o.percentile(99), perEvent: map[string]float64{},
		requests: float64(o.answered) / o.took.Seconds(), events: float64(o.answered*perRequest) / o.took.Seconds(),
	}
	for process := range after {
		used := float64((after[process] - before[process]).Microseconds()) / float64(max(1, o.answered*perRequest))
		r.total += used
		if used >= 0.05 {
			r.perEvent[process] = used
		}
	}
	return r
}

func header(out io.Writer) {
	_, _ = fmt.Fprintln(out, "| work | requests/s | events/s | p50 ms | p95 ms | p99 ms | CPU µs/event | of which | ingest MiB |")
	_, _ = fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|---|--:|")
}

func (r row) print(out io.Writer) {
	var parts []string
	for _, process := range slices.Sorted(maps.Keys(r.perEvent)) {
		parts = append(parts, fmt.Sprintf("%s %.1f", process, r.perEvent[process]))
	}
	ms := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
	}
	memory := ""
	if r.memory > 0 {
		memory = strconv.Itoa(r.memory)
	}
	_, _ = fmt.Fprintf(out, "| %s | %.0f | %.0f | %s | %s | %s | %.1f | %s | %s |\n",
		r.name, r.requests, r.events, ms(r.p50), ms(r.p95), ms(r.p99), r.total, strings.Join(parts, ", "), memory)
}
