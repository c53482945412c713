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
func refusal() error {
	return errOverloaded.After(leastRetry + rand.N(mostRetry-leastRetry)) //nolint:gosec // no secret
}

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
	callers map[Key]*caller
	turns   []*caller // those with waiting requests; the first one is next
	logged  time.Time
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
	if l.waiting >= mostQueued*l.config.MaxQueued || len(c.queue) >= l.queueOf(c) {
		l.forget(c)
		l.refused(ctx, l.metrics.full)
		l.mu.Unlock()
		return nil, refusal()
	}
	w := &waiter{granted: make(chan struct{})}
	began := time.Now()
	patience := l.queue(c, w, began)
	l.mu.Unlock()
	return c, l.wait(ctx, c, w, began, patience)
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

// queueOf returns how many requests of a caller may wait: an equal part for all who have some waiting.
func (l *Limiter) queueOf(c *caller) int {
	sharing := len(l.turns)
	if len(c.queue) == 0 {
		sharing++
	}
	return max(1, l.config.MaxQueued/sharing)
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
	l.waiting--
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
		close(c.queue[0].granted)
		c.queue = slices.Delete(c.queue, 0, 1)
		l.waiting--
		if len(c.queue) > 0 {
			l.turns = append(l.turns, c)
		}
		passed = 0
	}
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
