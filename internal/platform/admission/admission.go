// Package admission limits how many requests a service works on at the same time, and refuses early what it cannot answer soon.
//
// A request takes a slot or waits for one. The queue is short in time, not in length: while it is never empty, a request waits no
// longer than Config.QueueTime, so the latency of what is answered stays bounded however much is offered. A burst, which a queue
// that was empty a moment ago tells from an overload, may wait Config.QueueBurst. This is the queue of Facebook ("Fail at Scale",
// 2015), a simplification of CoDel.
//
// Slots are shared by dynamic thresholds (Choudhury and Hahne, 1998): a caller gets another slot only while it holds fewer than
// three times as many as are free. So one caller takes three quarters at most, two take three sevenths each, and there is always
// something free for the next one. The queue takes callers in turn.
//
// The limits of libraries that follow the latency (Netflix's gradient, Vegas; failsafe-go) were considered and not taken: a bulk
// request takes fifty times as long as a single event, so each change of what callers send would look like an overload or hide
// one. None of them shares slots among callers.
package admission

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// ErrRefused is the cause of every refusal. The requests are counted and not logged one by one.
var ErrRefused = errors.New("the service works on as many requests as it can")

var errOverloaded = errs.New(errs.Unavailable, "overloaded", "The service works on as many requests as it can right now. Try again shortly.").Because(ErrRefused)

// Retries are spread over some seconds, or all clients that were refused together would come back together.
const (
	leastRetry = time.Second
	mostRetry  = 4 * time.Second
)

// refusal returns the answer to a request that gets no slot.
func refusal() error { return errOverloaded.After(RetryAfter()) }

// RetryAfter returns how long a client that is refused is to wait.
func RetryAfter() time.Duration {
	return leastRetry + rand.N(mostRetry-leastRetry) //nolint:gosec // no secret
}

// Overloaded returns the error of every refusal, which says nothing about the request.
func Overloaded() error { return errOverloaded }

// Key names who shares slots with others: a project, an account outside projects, or a client network.
type Key struct {
	Project int16
	Name    string // empty for members and keys of the project
}

// mostQueued times Config.MaxQueued is how many requests wait at most. Their parts of the queue alone bound no number of callers, because
// each may have one request in it, and who came first keeps what it has.
const mostQueued = 2

// threshold is how many times as many slots as are free one caller may hold.
const threshold = 3

// Limiter hands out slots. It is safe for concurrent use.
type Limiter struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics

	mu      sync.Mutex
	inUse   int
	waiting int
	emptied time.Time // when the queue was last seen empty
	drained drained

	queueing atomic.Bool // waiting > 0
	callers  map[Key]*caller
	turns    []*caller // those with waiting requests; the first one is next
	logged   time.Time
}

// caller is who has requests in progress or waiting.
type caller struct {
	key   Key
	inUse int
	queue []*waiter // oldest first
}

// waiter is a request in the queue. Its channel is closed when it has got a slot.
type waiter struct{ granted chan struct{} }

// New returns a limiter; nil, which admits everything, if there is no limit.
func New(config Config, logger *slog.Logger, registerer prometheus.Registerer) *Limiter {
	if config.MaxConcurrent < 0 {
		return nil
	}
	l := &Limiter{config: config.withDefaults(), logger: logger, callers: map[Key]*caller{}}
	l.metrics = newMetrics(l, registerer)
	return l
}

// Enter waits for a slot. Release must be called on it. The error is a refusal, or that of a context that has ended.
func (l *Limiter) Enter(ctx context.Context, key Key) (*Slot, error) {
	if l == nil {
		return nil, nil // a nil slot is one of a service without a limit
	}
	c, err := l.enter(ctx, key)
	if err != nil {
		return nil, err
	}
	return &Slot{limiter: l, key: key, caller: c}, nil
}

func (l *Limiter) enter(ctx context.Context, key Key) (*caller, error) {
	l.mu.Lock()
	c := l.callers[key]
	if c == nil {
		c = &caller{key: key}
		l.callers[key] = c
	}
	if len(c.queue) == 0 && l.fits(c) {
		l.take(c)
		l.mu.Unlock()
		return c, nil
	}
	began := time.Now()
	if l.full(c, began) {
		l.forget(c)
		l.refused(ctx, l.metrics.full)
		l.mu.Unlock()
		return nil, refusal()
	}
	w := &waiter{granted: make(chan struct{})}
	patience := l.queue(c, w, began)
	l.mu.Unlock()
	return c, l.wait(ctx, c, w, began, patience)
}

// Queueing reports whether requests wait for slots. Only then may one be refused.
func (l *Limiter) Queueing() bool { return l != nil && l.queueing.Load() }

// Refuse reports whether Enter would refuse a request of a caller at once, and counts it as refused if so. It costs next to nothing, so it
// can be asked before anything is known of a request but its caller.
func (l *Limiter) Refuse(ctx context.Context, key Key) bool {
	if !l.Queueing() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[key]
	if c == nil || len(c.queue) == 0 && l.fits(c) || !l.full(c, time.Now()) {
		return false
	}
	l.refused(ctx, l.metrics.full)
	return true
}

// fits reports whether a caller may have one more slot.
func (l *Limiter) fits(c *caller) bool {
	free := l.config.MaxConcurrent - l.inUse
	return free > 0 && c.inUse < threshold*free
}

func (l *Limiter) take(c *caller) {
	l.inUse++
	c.inUse++
}

// full reports whether there is no room in the queue for one more request of a caller.
func (l *Limiter) full(c *caller, now time.Time) bool {
	return l.waiting >= mostQueued*l.config.MaxQueued || len(c.queue) >= l.queueOf(c, now)
}

// queueOf returns how many requests of a caller may wait: an equal part for all who have some waiting. In an overload, only as many wait as
// lately got a slot within QueueTime. More would be refused in the end, after they had cost more than a refusal at once.
func (l *Limiter) queueOf(c *caller, now time.Time) int {
	sharing := len(l.turns)
	if len(c.queue) == 0 {
		sharing++
	}
	most := l.config.MaxQueued
	if l.waiting > 0 && now.Sub(l.emptied) >= l.config.QueueBurst {
		least := min(most, max(leastQueued, l.config.MaxConcurrent/leastQueued))
		most = min(most, max(least, l.drained.lately(now, l.config.QueueTime)))
	}
	return max(1, most/sharing)
}

// leastQueued requests may wait in any overload, and in a service with many slots an eighth of them: slots become free together.
const leastQueued = 8

// drained counts the requests that got a slot after they had waited.
type drained struct {
	began time.Time // of the present span
	n     int       // since then
	last  float64   // in the span before, for its length
}

// add counts one more.
func (d *drained) add(now time.Time, span time.Duration) {
	d.turn(now, span)
	d.n++
}

// lately returns how many there were within span.
func (d *drained) lately(now time.Time, span time.Duration) int {
	d.turn(now, span)
	return int(d.last)
}

// turn begins a new span if the present one has ended.
func (d *drained) turn(now time.Time, span time.Duration) {
	if took := now.Sub(d.began); took >= span {
		d.last = float64(d.n) * float64(span) / float64(took)
		d.began, d.n = now, 0
	}
}

// queue adds a request to the queue and returns how long it may wait.
func (l *Limiter) queue(c *caller, w *waiter, now time.Time) time.Duration {
	if l.waiting == 0 {
		l.emptied = now
	}
	if len(c.queue) == 0 {
		l.turns = append(l.turns, c)
	}
	c.queue = append(c.queue, w)
	l.waiting++
	l.queueing.Store(true)
	if now.Sub(l.emptied) >= l.config.QueueBurst {
		return l.config.QueueTime
	}
	return l.config.QueueBurst
}

func (l *Limiter) wait(ctx context.Context, c *caller, w *waiter, began time.Time, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	select {
	case <-w.granted:
	case <-timer.C:
		err = ErrRefused
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.metrics.wait.Observe(time.Since(began).Seconds())
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leave(c, w) {
		return nil // the slot came at the last moment
	}
	if !errors.Is(err, ErrRefused) {
		return errOverloaded.Because(err)
	}
	l.refused(ctx, l.metrics.aged)
	return refusal()
}

// leave removes a request from the queue. It reports false if the request has a slot.
func (l *Limiter) leave(c *caller, w *waiter) bool {
	at := slices.Index(c.queue, w)
	if at < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, at, at+1)
	l.dequeued()
	if len(c.queue) == 0 {
		l.turns = slices.DeleteFunc(l.turns, func(of *caller) bool { return of == c })
		l.forget(c)
	}
	return true
}

// release returns a slot of a caller and hands out what is free.
func (l *Limiter) release(c *caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inUse--
	c.inUse--
	l.grant()
	l.forget(c)
}

// grant gives free slots to waiting requests, a caller at a time.
func (l *Limiter) grant() {
	for passed := 0; passed < len(l.turns) && l.inUse < l.config.MaxConcurrent; {
		c := l.turns[0]
		l.turns = l.turns[1:]
		if !l.fits(c) {
			l.turns = append(l.turns, c)
			passed++
			continue
		}
		l.take(c)
		l.drained.add(time.Now(), l.config.QueueTime)
		close(c.queue[0].granted)
		c.queue = slices.Delete(c.queue, 0, 1)
		l.dequeued()
		if len(c.queue) > 0 {
			l.turns = append(l.turns, c)
		}
		passed = 0
	}
}

// dequeued counts a request that waits no longer.
func (l *Limiter) dequeued() {
	l.waiting--
	l.queueing.Store(l.waiting > 0)
}

// forget drops a caller that has nothing in progress, so that the others take no memory.
func (l *Limiter) forget(c *caller) {
	if c.inUse == 0 && len(c.queue) == 0 {
		delete(l.callers, c.key)
	}
}

// logEvery is the time between two lines in the log about an overload.
const logEvery = 10 * time.Second

func (l *Limiter) refused(ctx context.Context, why prometheus.Counter) {
	why.Inc()
	if now := time.Now(); now.Sub(l.logged) >= logEvery {
		l.logged = now
		l.logger.WarnContext(ctx, "requests are refused, because the service works on as many as it can; hpa_http_refused_total counts them",
			"in_use", l.inUse, "waiting", l.waiting, "callers", len(l.callers))
	}
}
