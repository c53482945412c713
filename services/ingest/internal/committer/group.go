package committer

import (
	"context"
	"slices"
	"sync"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/inflight"
)

// errTooLong is the answer to a request whose time was up before a writer took it. Nothing of it is stored.
var errTooLong = errs.New(errs.Unavailable, "overloaded", "Storing takes longer than a request may right now. Try again shortly.")

// member is a request that waits to be written with others. Its request is the writer's from join until done is closed.
type member[R any] struct {
	request R
	rows    int
	done    chan struct{}
	err     error // valid after done is closed
}

// group collects requests of one kind until a writer has time for them. There is no artificial delay: the flush in flight
// is the time in which the next one fills up.
type group[R any] struct {
	maxWaiting int // rows that may wait for a writer
	maxFlush   int // rows of one flush, unless a single request has more
	flush      func(ctx context.Context, members []*member[R])
	ready      chan struct{} // holds a signal while members may be waiting
	crowded    chan struct{} // holds a signal while a crowd may be waiting

	mu      sync.Mutex
	waiting []*member[R]
	rows    int // of those waiting
	closed  bool
}

func newGroup[R any](maxWaiting, maxFlush int, flush func(context.Context, []*member[R])) *group[R] {
	return &group[R]{maxWaiting: maxWaiting, maxFlush: maxFlush, flush: flush, ready: make(chan struct{}, 1), crowded: make(chan struct{}, 1)}
}

// do has request written and returns it with its outcome. A request whose context ends before a writer takes it is not
// written; one that was taken is waited for, because what it holds is in use.
func (g *group[R]) do(ctx context.Context, request R, rows int) (R, error) {
	m := &member[R]{request: request, rows: rows, done: make(chan struct{})}
	if err := g.join(m); err != nil {
		return request, err
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		if g.leave(m) {
			return request, errTooLong.Because(ctx.Err())
		}
		<-m.done
	}
	return m.request, m.err
}

func (g *group[R]) join(m *member[R]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.waiting) > 0 && g.rows+m.rows > g.maxWaiting {
		return inflight.ErrFull
	}
	g.waiting, g.rows = append(g.waiting, m), g.rows+m.rows
	g.signal()
	return nil
}

// signal tells the writers what is waiting. Few rows are left to the first writer, though others may be idle: their commit
// would cost as much as that of many.
func (g *group[R]) signal() {
	if len(g.waiting) > 0 {
		raise(g.ready)
	}
	if g.rows >= crowd {
		raise(g.crowded)
	}
}

func raise(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// leave takes m out of those waiting, and reports false when it is with a writer already.
func (g *group[R]) leave(m *member[R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i < 0 {
		return false
	}
	g.waiting, g.rows = slices.Delete(g.waiting, i, i+1), g.rows-m.rows
	return true
}

// take returns what is waiting, as far as it fits into one flush.
func (g *group[R]) take() []*member[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, rows := 0, 0
	for n < len(g.waiting) && (n == 0 || rows+g.waiting[n].rows <= g.maxFlush) {
		rows += g.waiting[n].rows
		n++
	}
	taken := g.waiting[:n:n]
	g.waiting, g.rows = g.waiting[n:], g.rows-rows
	if len(g.waiting) == 0 {
		g.waiting = nil // the next one must not write where the taken ones are read
	}
	g.signal()
	return taken
}

// write is one writer: it flushes at every signal until ctx ends, and then what is still waiting.
func (g *group[R]) write(ctx context.Context, signal <-chan struct{}) {
	flushCtx := context.WithoutCancel(ctx)
	for {
		select {
		case <-signal:
			if members := g.take(); len(members) > 0 {
				g.flush(flushCtx, members)
			}
		case <-ctx.Done():
			g.mu.Lock()
			g.closed = true
			g.mu.Unlock()
			for members := g.take(); len(members) > 0; members = g.take() {
				g.flush(flushCtx, members)
			}
			return
		}
	}
}

// depth returns how many rows are waiting.
func (g *group[R]) depth() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rows
}
