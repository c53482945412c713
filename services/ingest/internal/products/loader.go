package products

import (
	"context"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// maxQueries bounds the queries in flight, so that requests for unknown products leave connections to the writers.
	maxQueries = 2
	// maxRefs bounds the refs of one query, unless a single request has more.
	maxRefs = 4 * event.MaxBatch
	// queryTimeout bounds one query, which outlives the requests that wait for it.
	queryTimeout = 15 * time.Second
)

var errTooLong = errs.New(errs.Unavailable, "overloaded", "Looking up products takes longer than a request may right now. Try again shortly.")

// loader reads from a source. Calls that arrive while its queries are in flight share the next one, so every call is
// answered by a query that began after it.
type loader struct {
	source  Source
	turns   chan struct{}  // holds an element for each query in flight
	queries sync.WaitGroup // in flight

	mu   sync.Mutex
	next *query // the last query that has not begun; nil if there is none
}

// query is a look-up for several calls.
type query struct {
	refs   []event.Ref
	begun  bool // guarded by loader.mu
	done   chan struct{}
	found  map[event.Ref]event.Product // valid after done is closed
	failed error                       // valid after done is closed
}

func newLoader(source Source) *loader {
	return &loader{source: source, turns: make(chan struct{}, maxQueries)}
}

// load returns those of refs that exist, and perhaps others. It returns when ctx ends; a query that has begun goes on for the
// other calls that share it.
func (l *loader) load(ctx context.Context, refs []event.Ref) (map[event.Ref]event.Product, error) {
	q := l.join(refs)
	select {
	case l.turns <- struct{}{}:
		if !l.begin(q) {
			<-l.turns
			break
		}
		l.queries.Go(func() {
			q.run(ctx, l.source)
			<-l.turns
		})
	case <-q.done:
	case <-ctx.Done():
		return nil, errTooLong.Because(ctx.Err())
	}
	select {
	case <-q.done:
		return q.found, q.failed
	case <-ctx.Done():
		return nil, errTooLong.Because(ctx.Err())
	}
}

// join adds refs to a query that has not begun.
func (l *loader) join(refs []event.Ref) *query {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil || len(l.next.refs)+len(refs) > maxRefs {
		l.next = &query{done: make(chan struct{})}
	}
	l.next.refs = append(l.next.refs, refs...)
	return l.next
}

// begin reports whether the caller has to run q, and closes q to further calls.
func (l *loader) begin(q *query) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.begun {
		return false
	}
	q.begun = true
	if l.next == q {
		l.next = nil
	}
	return true
}

func (q *query) run(ctx context.Context, source Source) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	defer close(q.done)
	q.found, q.failed = source.Products(ctx, q.refs)
}
