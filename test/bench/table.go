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

// columns are the columns of CPU time, in order.
var columns = []string{"service", "worker", "Postgres", "Redis", "others"}

// printTable prints rows as Markdown.
func printTable(out io.Writer, rows []row) {
	_, _ = fmt.Fprintf(out, "| work | requests/s | events/s | p50 ms | p95 ms | p99 ms | errors | CPU µs/event | %s | load | MiB | grew |\n", strings.Join(columns, " | "))
	_, _ = fmt.Fprintf(out, "|---|--:|--:|--:|--:|--:|--:|--:|%s--:|--:|--:|\n", strings.Repeat("--:|", len(columns)))
	for _, r := range rows {
		_, _ = fmt.Fprintf(out, "| %s |\n", strings.Join(r.cells(), " | "))
	}
}

func (r row) cells() []string {
	cells := []string{
		r.name, rate(r.requests), rate(r.events), milliseconds(r.p50), milliseconds(r.p95), milliseconds(r.p99), r.errors(), micros(r.total),
	}
	for _, column := range columns {
		cells = append(cells, micros(r.cpu[column]))
	}
	memory, grew := "", ""
	if r.memory.Peak > 0 {
		memory, grew = strconv.Itoa(r.memory.Peak), fmt.Sprintf("%+.0f %%", 100*r.memory.Grew)
	}
	return append(cells, micros(r.load), memory, grew)
}

// errors returns how many requests failed, by status.
func (r row) errors() string {
	if r.answered == 0 {
		return "" // the row has no requests
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(r.failed)) {
		parts = append(parts, fmt.Sprintf("%d x %s", r.failed[status], status))
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, ", ")
}

func rate(perSecond float64) string {
	if perSecond == 0 {
		return ""
	}
	return thousands(perSecond)
}

// thousands formats a number with commas between groups of three digits.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func milliseconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
}

// micros is empty for a value that would print as zero.
func micros(n float64) string {
	if n < 0.05 {
		return ""
	}
	return fmt.Sprintf("%.1f", n)
}
