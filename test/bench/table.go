package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	rateColumn = "requests/s"
	// noiseColumn is the column of row.noise, in percent.
	noiseColumn = "±"
)

// table is a table of the page.
type table struct {
	keys    []string // headings of the columns that identify a row
	numbers []string // headings of the other columns
	rows    [][]string
	notes   []string // below it
}

// add appends a row, with a cell for each column.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// writeTo writes the table as Markdown. Columns of keys are aligned to the left, numbers to the right.
func (t table) writeTo(out io.Writer) {
	_, _ = fmt.Fprintf(out, "| %s |\n|%s%s\n", strings.Join(append(slices.Clone(t.keys), t.numbers...), " | "),
		strings.Repeat("---|", len(t.keys)), strings.Repeat("--:|", len(t.numbers)))
	for _, cells := range t.rows {
		_, _ = fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
	}
	for _, note := range t.notes {
		_, _ = fmt.Fprintf(out, "\n%s\n", note)
	}
}

// columns are the columns of CPU time of writes, in order.
var columns = []string{"service", "worker", "Postgres", "Redis", "others"}

// newWrites returns the table of writes.
func newWrites(rows []row) table {
	t := table{keys: []string{"work"}, numbers: slices.Concat(
		[]string{rateColumn, "events/s", "mean ms", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU µs/event"}, columns, []string{"load", "MiB", "grew", noiseColumn},
	)}
	for _, r := range rows {
		t.add(r.cells()...)
	}
	return t
}

func (r row) cells() []string {
	cells := []string{
		r.name, rate(r.requests), rate(r.events), milliseconds(r.mean), milliseconds(r.p50), milliseconds(r.p95), milliseconds(r.p99), r.errors(), micros(r.total),
	}
	for _, column := range columns {
		cells = append(cells, micros(r.cpu[column]))
	}
	memory, grew := "", ""
	if r.memory.Peak > 0 {
		memory, grew = strconv.Itoa(r.memory.Peak), fmt.Sprintf("%+.0f %%", 100*r.memory.Grew)
	}
	return append(cells, micros(r.load), memory, grew, percent(r.noise))
}

// percent is empty for an unknown share.
func percent(share float64) string {
	if share == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", math.Ceil(100*share))
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
	if d < time.Millisecond {
		return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000)
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
