package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/localproc"
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

const (
	// hitTimeout bounds how long a cut waits for a commit. Clients send all the time.
	hitTimeout = time.Minute
	// fillTimeout bounds how long Postgres is paused for a committer to fill up, fillTries how often that is tried: what
	// ingest remembers of keys and products may just have ended, and then requests wait before they come to the committer.
	fillTimeout = 3 * time.Second
	fillTries   = 5
)

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

// kill ends parts at the same moment, and starts them again at the same moment: none has to wait for another.
func (i *Injector) kill(ctx context.Context, names []string, down time.Duration) error {
	all := func(do func(p Part) error) error {
		problems := make([]error, len(names))
		var wg sync.WaitGroup
		for n, name := range names {
			wg.Go(func() { problems[n] = do(i.platform.Parts[name]) })
		}
		wg.Wait()
		return errors.Join(problems...)
	}
	if err := all(Part.Kill); err != nil {
		return err
	}
	if err := localproc.Pause(ctx, down); err != nil {
		return err //nolint:wrapcheck // the run is being stopped
	}
	return all(func(p Part) error { return p.Start(ctx) })
}

func (i *Injector) cut(ctx context.Context, f Fault) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hitTimeout, errors.New("there was no commit to cut"))
	defer cancel()
	select {
	case <-i.platform.Proxies[f.Target].Arm(f.Moment):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// severLater waits for connections to sever.
func (i *Injector) severLater(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hitTimeout, errors.New("there was no connection to sever"))
	defer cancel()
	for i.platform.Proxies[target].Sever() == 0 {
		if err := localproc.Pause(ctx, 20*time.Millisecond); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	return nil
}

// fill pauses Postgres and sends more than the committer holds, until it says so.
func (i *Injector) fill(ctx context.Context) error {
	for range fillTries {
		full, err := i.tryFill(ctx)
		if full || err != nil {
			return err
		}
		if err := localproc.Pause(ctx, time.Second); err != nil { // for ingest to recover
			return err //nolint:wrapcheck // the run is being stopped
		}
	}
	return errors.New("no answer said that the committer is full")
}

func (i *Injector) tryFill(ctx context.Context) (full bool, err error) {
	before := i.platform.Committer.Overloads()
	if err := i.platform.Parts[Postgres].Pause(); err != nil {
		return false, err //nolint:wrapcheck // says what
	}
	i.mu.Lock()
	i.bursts++
	number := i.bursts
	i.mu.Unlock()
	i.wg.Go(func() { i.platform.Committer.Burst(ctx, number) })
	waiting, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	for i.platform.Committer.Overloads() == before {
		if localproc.Pause(waiting, 5*time.Millisecond) != nil {
			break
		}
	}
	return i.platform.Committer.Overloads() > before, i.platform.Parts[Postgres].Resume() //nolint:wrapcheck // says what
}
