package rollup

import (
	"cmp"
	"math"
)

// Parts folds rows into deltas that stay within a bound of memory, if Next is called in between.
type Parts struct {
	Deltas *Deltas // of the rows since the last flush
	Most   int     // the largest Bytes of the deltas so far
	Count  int     // how often deltas were flushed

	budget int
	flush  func(d *Deltas, last bool) error
}

// NewParts returns parts that pass their deltas to flush when they are about to exceed budget bytes; 0 means no bound. flush is
// told whether Flush calls it, after which nothing more may be added.
func NewParts(budget int, flush func(d *Deltas, last bool) error) *Parts {
	return &Parts{Deltas: New(), budget: cmp.Or(budget, math.MaxInt), flush: flush}
}

// leastRoom is how many rows may be added before the next call of Next, unless the budget is smaller. Rows of known users and
// products take hardly any memory, so the last bit of a budget could be asked about for each of very many rows.
const leastRoom = 100

// Next returns how many rows may be added before the next call. It flushes if that would be too few.
func (p *Parts) Next() (rows int, err error) {
	p.Most = max(p.Most, p.Deltas.Bytes())
	all := max(1, p.budget/MaxRowBytes)
	room := (p.budget - p.Deltas.Bytes()) / MaxRowBytes
	if room >= min(leastRoom, all) || p.Deltas.Empty() {
		return max(1, room), nil
	}
	return all, p.pass(false)
}

// Flush passes on what is left.
func (p *Parts) Flush() error { return p.pass(true) }

func (p *Parts) pass(last bool) error {
	p.Most = max(p.Most, p.Deltas.Bytes())
	if p.Deltas.Empty() {
		return nil
	}
	full := p.Deltas
	p.Deltas = New()
	p.Count++
	return p.flush(full, last)
}
