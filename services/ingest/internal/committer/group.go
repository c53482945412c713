package committer

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

// errTooLong is the answer to a request whose deadline passed before a writer took it. Nothing of it is stored.
var errTooLong = errs.New(errs.Unavailable, "overloaded", "Storing takes longer than a request may right now. Try again shortly.")

// member is a request that waits to be written with others. The writer owns request from join until done is closed.
type member[R any] struct {
	request R
	project int16
	rows    int
	span    trace.Span // of the request
	done    chan struct{}
	err     error // valid after done is closed
}

// group collects requests of one kind until a writer is free: the next flush fills up while one is in flight. After a flush of
// several requests it also waits for a moment for the next requests of the same clients.
type group[R any] struct {
	maxWaiting int // rows that may wait for a writer
	maxFlush   int // rows of one flush, unless a single request has more
	flush      func(ctx context.Context, members []*member[R])
	ready      chan struct{} // holds a signal while members may be waiting
	gathered   chan struct{} // holds a signal while as many may be waiting as are expected
	backlogged chan struct{} // holds a signal while a backlog may be waiting

	mu       sync.Mutex
	waiting  []*member[R]
	rows     int           // of those waiting
	shares   map[int16]int // of rows, by project; without zeros
	expected int           // members that the next flush waits for
	until    time.Time     // and for how long
	closed   bool
}

func newGroup[R any](maxWaiting, maxFlush int, flush func(context.Context, []*member[R])) *group[R] {
	return &group[R]{
		maxWaiting: maxWaiting, maxFlush: maxFlush, flush: flush, ready: make(chan struct{}, 1), gathered: make(chan struct{}, 1),
		backlogged: make(chan struct{}, 1), shares: map[int16]int{},
	}
}

// do waits until a request of a project is written and returns it with its outcome. A request whose context ends before a writer takes it
// is not written. Once it is taken, do waits for the writer, which still uses its memory.
func (g *group[R]) do(ctx context.Context, request R, project int16, rows int) (R, error) {
	m := &member[R]{request: request, project: project, rows: rows, span: trace.SpanFromContext(ctx), done: make(chan struct{})}
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
	if g.closed || len(g.waiting) > 0 && !g.fits(m) {
		return inflight.ErrFull
	}
	g.waiting = append(g.waiting, m)
	g.count(m, m.rows)
	g.signal()
	return nil
}

// threshold is how many times as many rows as there is room for may wait of one project, as with the slots of package admission: one
// project gets three quarters at most, and there is room for the next one.
const threshold = 3

func (g *group[R]) fits(m *member[R]) bool {
	free := g.maxWaiting - g.rows
	return m.rows <= free && g.shares[m.project] < threshold*free
}

// count adds rows of a member to those that wait.
func (g *group[R]) count(m *member[R], rows int) {
	g.rows += rows
	if g.shares[m.project] += rows; g.shares[m.project] == 0 {
		delete(g.shares, m.project)
	}
}

// signal wakes the writers that are to work. Few rows are left to the first writer even if others are idle, because a
// small commit costs as much as a large one.
func (g *group[R]) signal() {
	if len(g.waiting) > 0 {
		raise(g.ready)
	}
	if g.complete() {
		raise(g.gathered)
	}
	if g.rows >= backlog {
		raise(g.backlogged)
	}
}

func raise(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// leave removes m from the waiting requests. It reports false if a writer has taken m.
func (g *group[R]) leave(m *member[R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	g.count(m, -m.rows)
	return true
}

// take removes and returns as many waiting requests as fit into one flush.
func (g *group[R]) take() []*member[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, rows := 0, 0
	for n < len(g.waiting) && (n == 0 || rows+g.waiting[n].rows <= g.maxFlush) {
		rows += g.waiting[n].rows
		n++
	}
	taken := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	for _, m := range taken {
		g.count(m, -m.rows)
	}
	if len(g.waiting) == 0 {
		g.waiting = nil // the writer reads the taken ones, so the next append needs a new array
	}
	g.signal()
	return taken
}

// maxGather bounds how long a flush waits for more requests. It waits no longer than the one before took, either.
const maxGather = 2 * time.Millisecond

// flushed notes that a flush has answered some requests. Most clients send their next request as soon as one is answered. So as many
// are expected beside those that wait already: or else the clients would stay divided into two parts that take turns, and there would be
// twice as many flushes as there need to be. An eighth may stay away.
func (g *group[R]) flushed(answered int, took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := answered + len(g.waiting)
	g.expected = all - all/8
	g.until = time.Now().Add(min(took, maxGather))
}

// complete reports whether the next flush need not wait for more.
func (g *group[R]) complete() bool { return len(g.waiting) >= g.expected || g.rows >= backlog }

// gather waits until the expected requests are there. A request that comes alone does not wait: nothing else is expected then.
func (g *group[R]) gather(ctx context.Context) {
	var timer *time.Timer
	for {
		g.mu.Lock()
		left, complete := time.Until(g.until), g.complete()
		g.mu.Unlock()
		if complete || left <= 0 {
			return
		}
		if timer == nil {
			timer = time.NewTimer(left)
			defer timer.Stop()
		}
		select {
		case <-g.gathered:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lead is the first writer: it flushes whatever waits until ctx ends, and lets flushes gather requests.
func (g *group[R]) lead(ctx context.Context) {
	g.work(ctx, g.ready, func(flushCtx context.Context) {
		g.gather(ctx)
		if members := g.take(); len(members) > 0 {
			start := time.Now()
			g.flush(flushCtx, members)
			g.flushed(len(members), time.Since(start))
		}
	})
}

// assist is another writer: it flushes when there is a backlog.
func (g *group[R]) assist(ctx context.Context) {
	g.work(ctx, g.backlogged, func(flushCtx context.Context) {
		if members := g.take(); len(members) > 0 {
			g.flush(flushCtx, members)
		}
	})
}

// work writes at every signal until ctx ends, and then flushes whatever is still waiting.
func (g *group[R]) work(ctx context.Context, signal <-chan struct{}, write func(flushCtx context.Context)) {
	flushCtx := context.WithoutCancel(ctx)
	for {
		select {
		case <-signal:
			write(flushCtx)
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
