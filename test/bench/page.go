package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The page holds each table between two comments, which say its name. Everything between them is replaced.
func markers(name string) (begin, end string) {
	return "<!-- bench: " + name + " -->\n", "<!-- bench: end of " + name + " -->\n"
}

var errMarkers = errors.New("the page lacks the comments between which the table belongs")

// rewritten returns the page with a new table, in which marked cells say what they were before, after a caption.
func rewritten(page, name, caption string, t table) (string, error) {
	begin, end := markers(name)
	before, rest, found := strings.Cut(page, begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("%q and %q: %w", strings.TrimSpace(begin), strings.TrimSpace(end), errMarkers)
	}
	t.mark(parse(old))
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "%s%s\n%s\n\n", before, begin, caption)
	t.writeTo(&text)
	_, _ = fmt.Fprintf(&text, "\n%s%s", end, after)
	return text.String(), nil
}

// parse reads the first table of a text that writeTo has written. It returns an empty table if there is none.
func parse(text string) (t table) {
	var columns []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if columns != nil {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case columns == nil:
			columns = cells
		case t.keys == nil:
			n := slices.Index(append(cells, "--:"), "--:")
			t.keys, t.numbers = columns[:n:n], columns[n:]
		case len(cells) == len(columns):
			t.rows = append(t.rows, cells)
		}
	}
	return t
}

// leastMove is the relative change below which nothing is marked, and unknownNoise is the noise of a row that does not tell it.
const (
	leastMove    = 0.10
	unknownNoise = 0.10
)

// marked reports whether changes in a column are marked: rates and CPU times. Latencies vary too much from run to run.
func marked(column string) bool {
	return strings.HasSuffix(column, "/s") || strings.HasPrefix(column, "CPU µs")
}

// mark adds to each number of the table what it was in an older one, if it has moved by more than both their noise.
func (t *table) mark(old table) {
	for i, cells := range t.rows {
		previous, ok := old.find(cells[:len(t.keys)])
		if !ok {
			continue
		}
		cells = slices.Clone(cells)
		noise := max(leastMove, t.noise(cells)+old.noise(previous))
		for n, column := range t.numbers {
			at := slices.Index(old.numbers, column)
			if !marked(column) || at < 0 {
				continue
			}
			was, is := previous[len(old.keys)+at], cells[len(t.keys)+n]
			was, _, _ = strings.Cut(was, " ") // without its own mark
			if a, b := number(was), number(is); a > 0 && b > 0 && math.Abs(b/a-1) > noise {
				cells[len(t.keys)+n] = is + " (was " + was + ")"
			}
		}
		t.rows[i] = cells
	}
}

// find returns the row with the given keys.
func (t table) find(keys []string) ([]string, bool) {
	for _, cells := range t.rows {
		if slices.Equal(cells[:len(t.keys)], keys) {
			return cells, true
		}
	}
	return nil, false
}

// noise returns the noise of a row as a share.
func (t table) noise(cells []string) float64 {
	if at := slices.Index(t.numbers, noiseColumn); at >= 0 {
		if percent, _, ok := strings.Cut(cells[len(t.keys)+at], " "); ok {
			return number(percent) / 100
		}
	}
	return unknownNoise
}

// number reads a cell; 0 if it is no number.
func number(cell string) float64 {
	n, err := strconv.ParseFloat(strings.ReplaceAll(cell, ",", ""), 64)
	if err != nil {
		return 0
	}
	return n
}
