// Package lookup shares queries: calls that arrive while queries are in flight are answered together by the next one.
package lookup

import (
	"context"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// maxQueries bounds the queries in flight, so that requests for unknown keys leave connections to the writers.
	maxQueries = 2
	// maxKeys bounds the keys of one query, unless a single request has more.
	maxKeys = 4 * event.MaxBatch
	// queryTimeout bounds one query, which outlives the requests that wait for it.
	queryTimeout = 15 * time.Second
)

var errTooLong = errs.New(errs.Unavailable, "overloaded", "Looking up products, users and names takes longer than a request may right now. Try again shortly.")

// Query answers keys. The same key may be there twice. What it does not find is not in the answer.
type Query[K comparable, V any] func(ctx context.Context, keys []K) (map[K]V, error)

// Loader runs a query for many calls. Every call is answered by a query that began after it. It is safe for concurrent use.
type Loader[K comparable, V any] struct {
	query   Query[K, V]
	turns   chan struct{}  // holds an element for each query in flight
	queries sync.WaitGroup // in flight

	mu   sync.Mutex
	next *shared[K, V] // the last query that has not begun; nil if there is none
}

// shared is a query for several calls.
type shared[K comparable, V any] struct {
	keys   []K
	begun  bool // guarded by Loader.mu
	done   chan struct{}
	found  map[K]V // valid after done is closed
	failed error   // valid after done is closed
}

// NewLoader returns a loader.
func NewLoader[K comparable, V any](query Query[K, V]) *Loader[K, V] {
	return &Loader[K, V]{query: query, turns: make(chan struct{}, maxQueries)}
}

// Close waits for the queries in flight. No call may follow.
func (l *Loader[K, V]) Close() { l.queries.Wait() }

// Load returns what the query finds for keys, and perhaps for others. It returns when ctx ends; a query that has begun goes on
// for the other calls that share it.
func (l *Loader[K, V]) Load(ctx context.Context, keys []K) (map[K]V, error) {
	q := l.join(keys)
	select {
	case l.turns <- struct{}{}:
		if !l.begin(q) {
			<-l.turns
			break
		}
		l.queries.Go(func() {
			l.run(ctx, q)
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

// join adds keys to a query that has not begun.
func (l *Loader[K, V]) join(keys []K) *shared[K, V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil || len(l.next.keys)+len(keys) > maxKeys {
		l.next = &shared[K, V]{done: make(chan struct{})}
	}
	l.next.keys = append(l.next.keys, keys...)
	return l.next
}

// begin reports whether the caller has to run q, and closes q to further calls.
func (l *Loader[K, V]) begin(q *shared[K, V]) bool {
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

func (l *Loader[K, V]) run(ctx context.Context, q *shared[K, V]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	defer close(q.done)
	q.found, q.failed = l.query(ctx, q.keys)
}
