package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

// Part is a part of the platform that can fail and recover.
type Part interface {
	Start(ctx context.Context) error
	Kill() error
	Pause() error
	Resume() error
}

// Proxy is the proxy between a service and Postgres.
type Proxy interface {
	Arm(moment proxy.Moment) <-chan struct{}
	Sever() int
}

// Committer fills the committer of ingest. Burst sends more than fits, different events for each number, and returns when
// all of them are stored. Overloads counts the answers that reported overload.
type Committer interface {
	Burst(ctx context.Context, number int)
	Overloads() int
}

// Platform is the target of the faults.
type Platform struct {
	Parts     map[string]Part  // Aggregator, Ingest, Redis and Postgres
	Proxies   map[string]Proxy // Aggregator and Ingest
	WipeRedis func(ctx context.Context) error
	Committer Committer
	// Network drops all packets of Aggregator or Ingest, or lets them pass again.
	Network func(target string, drop bool)
	// ReadOnly makes Postgres refuse writes, or accept them again.
	ReadOnly func(ctx context.Context, on bool) error
	// Damage adds a batch that cannot be folded, removes it when it was set aside, and says what it saw.
	Damage func(ctx context.Context) (seen string, err error)
	// Slow sends bodies slowly for a while, and says what it saw.
	Slow func(ctx context.Context, d time.Duration) (seen string, err error)
	// Counts counts what the clients have met so far, by name.
	Counts func() map[string]int
}

// order is the lock order of the parts, so that two faults cannot deadlock.
var order = []string{Postgres, Redis, Ingest, Aggregator}

// Injector injects faults.
type Injector struct {
	platform Platform
	out      io.Writer
	locks    map[string]chan struct{} // one fault per part at a time
	wg       sync.WaitGroup

	mu     sync.Mutex
	counts map[Kind]int
	errs   []error
	bursts int
}

// NewInjector returns an injector that reports each fault on out.
func NewInjector(p Platform, out io.Writer) *Injector {
	i := &Injector{platform: p, out: out, locks: map[string]chan struct{}{}, counts: map[Kind]int{}}
	for _, name := range order {
		i.locks[name] = make(chan struct{}, 1)
	}
	return i
}

// Run injects faults at their times. It returns the number of faults of each kind, after everything that was killed or
// paused runs again.
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

// inject injects one fault as soon as no other fault holds its target.
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
	before := i.platform.Counts()
	seen, err := i.apply(ctx, f, names)
	if err == nil {
		i.tell("%6.1fs  over: %s%s; the clients met %s", time.Since(begin).Seconds(), f.Kind, seen, difference(before, i.platform.Counts()))
	}
	return err
}

// difference describes what was counted between before and after.
func difference(before, after map[string]int) string {
	var met []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name] - before[name]; n > 0 {
			met = append(met, fmt.Sprintf("%d %s", n, name))
		}
	}
	return cmp.Or(strings.Join(met, ", "), "nothing")
}

// apply does what f says, and returns what it saw.
func (i *Injector) apply(ctx context.Context, f Fault, names []string) (seen string, err error) {
	switch f.Action {
	case Drop:
		i.platform.Network(f.Target, true)
		defer i.platform.Network(f.Target, false)
		return "", localproc.Pause(ctx, f.For)
	case ReadOnly:
		on := i.platform.ReadOnly(ctx, true)
		return "", errors.Join(on, localproc.Pause(ctx, f.For), i.platform.ReadOnly(context.WithoutCancel(ctx), false))
	case Damage:
		ctx, cancel := context.WithTimeoutCause(ctx, hitTimeout, errors.New("the batch was not set aside"))
		defer cancel()
		return i.platform.Damage(ctx)
	case Slow:
		return i.platform.Slow(ctx, f.For)
	default:
		return "", i.disturb(ctx, f, names)
	}
}

// disturb does what f says to processes and their connections.
func (i *Injector) disturb(ctx context.Context, f Fault, names []string) error {
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
		return fmt.Errorf("unknown action %q", f.Action)
	}
}

// parts returns the parts that no other fault may hit at the same time.
func (f Fault) parts() []string {
	switch {
	case f.Target == Everything:
		return order
	case f.Action == Fill:
		return []string{Postgres, Ingest}
	case f.Action == Damage: // the aggregator must be able to fold
		return []string{Postgres, Aggregator}
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
