// Package system puts together the state of the installation: what the database and the queue say, and what is wrong with it, in the
// words of `hp-analytics doctor` (package checkup).
package system

import (
	"context"
	"log/slog"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
)

const (
	// fresh is how long a state is used again, however many look at it.
	fresh = 5 * time.Second
	// checkTimeout bounds one check, and stateTimeout all together.
	checkTimeout, stateTimeout = 3 * time.Second, 20 * time.Second
)

// State is the state of the installation.
type State struct {
	postgres.System

	Findings []checkup.Finding
	Queue    *redis.State // nil while Redis does not answer
	Caches   map[cache.Source]int64
}

// Reader reads the state. It is safe for concurrent use.
type Reader struct {
	Store  *postgres.Store
	Queue  redis.Queue
	Site   checkup.Site
	Cache  *cache.Cache
	Logger *slog.Logger

	turn  chan struct{} // guards held and until
	held  State
	until time.Time
}

// New returns a reader of what r names.
func New(r Reader) *Reader {
	r.turn = make(chan struct{}, 1)
	return &r
}

// State returns a state that is at most 5 s old. The caller must not change it. A database that does not answer is an Unavailable error.
func (r *Reader) State(ctx context.Context) (State, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return State{}, ctx.Err()
	}
	defer func() { <-r.turn }()
	if time.Now().Before(r.until) {
		return r.held, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	state, err := r.read(ctx)
	if err == nil {
		r.held, r.until = state, time.Now().Add(fresh)
	}
	return state, err
}

func (r *Reader) read(ctx context.Context) (state State, err error) {
	if state.System, err = r.Store.System(ctx); err != nil {
		return State{}, err
	}
	queue, err := r.Queue.State(ctx)
	if err == nil {
		state.Queue = &queue
	} else {
		r.Logger.WarnContext(ctx, "read the queue", "err", err)
		state.Findings = append(state.Findings, checkup.Finding{
			Area: "redis", Check: "connection", Level: checkup.Problem, Says: "does not answer", Do: "start it, or correct REDIS_URL",
		})
	}
	for _, c := range checkup.Checks {
		if c.NeedsRedis && state.Queue == nil {
			continue
		}
		state.Findings = append(state.Findings, r.look(ctx, c)...)
	}
	state.Caches = r.Cache.Counts()
	return state, nil
}

// look runs a check. Why one could not be made is for the log only.
func (r *Reader) look(ctx context.Context, c checkup.Check) []checkup.Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found, err := c.Run(ctx, &r.Site)
	if err != nil {
		r.Logger.WarnContext(ctx, "a check cannot be made", "area", c.Area, "check", c.Name, "err", err)
		found = append(found, checkup.Wrong("look at the log of analytics, or run hp-analytics doctor", "cannot be checked"))
	}
	for i := range found {
		found[i].Area, found[i].Check = c.Area, c.Name
	}
	return found
}
