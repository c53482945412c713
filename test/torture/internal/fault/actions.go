package fault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

const (
	// hitTimeout bounds how long a cut waits for a commit. Clients send continuously, so there is one soon.
	hitTimeout = time.Minute
	// fillTimeout bounds how long Postgres is paused until the committer is full, and fillTries how often that is tried: if
	// the caches of keys and products have just expired, requests wait for Postgres before they reach the committer.
	fillTimeout = 3 * time.Second
	fillTries   = 5
)

// kill kills parts at the same moment and restarts them at the same moment: the platform needs no order of start.
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
		return err
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

// severLater waits until there are connections to sever.
func (i *Injector) severLater(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hitTimeout, errors.New("there was no connection to sever"))
	defer cancel()
	for i.platform.Proxies[target].Sever() == 0 {
		if err := localproc.Pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// fill pauses Postgres and sends more than the committer holds, until an answer reports overload.
func (i *Injector) fill(ctx context.Context) error {
	for range fillTries {
		full, err := i.tryFill(ctx)
		if full || err != nil {
			return err
		}
		if err := localproc.Pause(ctx, time.Second); err != nil { // for ingest to recover
			return err
		}
	}
	return errors.New("no answer reported that the committer is full")
}

func (i *Injector) tryFill(ctx context.Context) (full bool, err error) {
	before := i.platform.Committer.Overloads()
	if err := i.platform.Parts[Postgres].Pause(); err != nil {
		return false, err
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
	return i.platform.Committer.Overloads() > before, i.platform.Parts[Postgres].Resume()
}
