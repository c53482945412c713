package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

// Part is something that can fail and come back.
type Part interface {
	Start(ctx context.Context) error
	Kill() error
	Pause() error
	Resume() error
}

// Proxy is what a service reaches Postgres through.
type Proxy interface {
	Arm(moment proxy.Moment) <-chan struct{}
	Sever() int
}

// Committer is how a committer is filled: Burst sends more than fits, in a burst of its own for each number, and returns
// when all of it is stored; Overloads counts the answers that said that it does not fit.
type Committer interface {
	Burst(ctx context.Context, number int)
	Overloads() int
}

// Platform is what faults happen to.
type Platform struct {
	Parts     map[string]Part  // Aggregator, Ingest, Redis and Postgres
	Proxies   map[string]Proxy // Aggregator and Ingest
	WipeRedis func(ctx context.Context) error
	Committer Committer
}

// order is the order in which parts are taken, so that two faults never wait for each other.
var order = []string{Postgres, Redis, Ingest, Aggregator}

// Injector injects faults.
type Injector struct {
	platform Platform
	out      io.Writer
	locks    map[string]chan struct{} // a part fails in one way at a time
	wg       sync.WaitGroup

	mu     sync.Mutex
	counts map[Kind]int
	errs   []error
	bursts int
}

// NewInjector returns an injector that tells on out what it does.
func NewInjector(p Platform, out io.Writer) *Injector {
	i := &Injector{platform: p, out: out, locks: map[string]chan struct{}{}, counts: map[Kind]int{}}
	for _, name := range order {
		i.locks[name] = make(chan struct{}, 1)
	}
	return i
}

// Run injects faults at their times, and returns how many there were of each kind when all are over and everything that
// was killed or paused is back.
func (i *Injector) Run(ctx context.Context, faults []Fault) (map[Kind]int, error) {
	begin := time.Now()
	for _, f := range faults {
		if localproc.Pause(ctx, time.Until(begin.Add(f.At))) != nil {
			break
		}
		i.wg.Go(func() {
			err := i.inject(ctx, f, begin)
			i.mu.Lock()
			defer i.mu.Unlock()
			if err != nil {
				i.errs = append(i.errs, fmt.Errorf("%s: %w", f.Kind, err))
			} else {
				i.counts[f.Kind]++
			}
		})
	}
	i.wg.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts, errors.Join(append(i.errs, context.Cause(ctx))...)
}

// inject lets one fault happen, as soon as what it happens to is free.
func (i *Injector) inject(ctx context.Context, f Fault, begin time.Time) error {
	names := f.parts()
	for _, name := range names {
		select {
		case i.locks[name] <- struct{}{}:
			defer func() { <-i.locks[name] }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	i.tell("%6.1fs  %s", time.Since(begin).Seconds(), f.Kind)
	switch f.Action {
	case Kill:
		return i.kill(ctx, names, f.For)
	case Pause:
		part := i.platform.Parts[f.Target]
		return errors.Join(part.Pause(), localproc.Pause(ctx, f.For), part.Resume())
	case Wipe:
		return i.platform.WipeRedis(ctx)
	case Fill:
		return i.fill(ctx)
	case Cut:
		return i.cut(ctx, f)
	case Sever:
		if n := i.platform.Proxies[f.Target].Sever(); n == 0 {
			return i.severLater(ctx, f.Target)
		}
		return nil
	default:
		return fmt.Errorf("there is no action %q", f.Action)
	}
}

// parts returns what must not fail in another way meanwhile.
func (f Fault) parts() []string {
	switch {
	case f.Target == Everything:
		return order
	case f.Action == Fill:
		return []string{Postgres, Ingest}
	case f.Action == Cut, f.Action == Sever:
		return nil
	default:
		return []string{f.Target}
	}
}

func (i *Injector) tell(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, _ = fmt.Fprintf(i.out, format+"\n", args...)
}
