package main

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// cost is the CPU time of a service for a number of requests.
type cost struct {
	cpu      time.Duration
	requests int
	bytes    int           // that were sent
	least    time.Duration // for a request, in the batch that cost least
}

// add adds a batch, or what was added up before.
func (c *cost) add(other cost) {
	if least := cmp.Or(other.least, other.mean()); c.requests == 0 || least < c.least {
		c.least = least
	}
	c.cpu += other.cpu
	c.requests += other.requests
	c.bytes += other.bytes
}

// mean returns the CPU time of a request.
func (c cost) mean() time.Duration { return c.cpu / time.Duration(max(1, c.requests)) }

// row counts what happened to an operation.
type row struct {
	service       string
	valid, broken int
	statuses      map[int]int
	accepted      cost
	refused       map[string]cost // by kind
}

// tally counts what happened. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	rows     map[string]*row // by operation
	findings []string
	seen     map[string]int // findings of the same operation, kind and sort
}

func newTally() *tally { return &tally{rows: map[string]*row{}, seen: map[string]int{}} }

// row returns the counts of an operation, to be used with the lock.
func (t *tally) row(operation, service string) *row {
	if t.rows[operation] == nil {
		t.rows[operation] = &row{service: service, statuses: map[int]int{}, refused: map[string]cost{}}
	}
	return t.rows[operation]
}

// answered counts an answer.
func (t *tally) answered(operation, service, kind string, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(operation, service)
	r.statuses[status]++
	if kind == validKind {
		r.valid++
	} else {
		r.broken++
	}
}

// spent adds the CPU time of requests that were all accepted, or all refused.
func (t *tally) spent(operation, service, kind string, accepted bool, c cost) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(operation, service)
	if accepted {
		r.accepted.add(c)
		return
	}
	sum := r.refused[kind]
	sum.add(c)
	r.refused[kind] = sum
}

// repeats is how many findings of the same sort are kept.
const repeats = 2

// find adds a finding. sort tells which others are the same.
func (t *tally) find(sort, finding string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[sort]++; t.seen[sort] <= repeats {
		t.findings = append(t.findings, finding)
	}
}

// operations returns the operations, in the order of their services.
func (t *tally) operations() []string {
	return slices.SortedFunc(maps.Keys(t.rows), func(a, b string) int {
		return slices.Compare([]string{t.rows[a].service, a}, []string{t.rows[b].service, b})
	})
}
