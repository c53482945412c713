package api

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
)

const (
	// zonesTTL is how long the time zones of a project are used without reading them again. Within this time after a step of a
	// change of the zone, cached answers by the former zone are still found, as after a fold.
	zonesTTL = 500 * time.Millisecond
	// maxZones bounds how many projects are remembered.
	maxZones = 10_000
)

// Zones remembers which time zone holds when in projects. While Postgres does not answer, it goes by what it has read last, so that
// cached answers are still found. It is safe for concurrent use.
type Zones struct {
	// Off reads the zones for every request anew, for measurements.
	Off bool

	store  *postgres.Store
	recent *otter.Cache[int16, localtime.History]
	last   *otter.Cache[int16, localtime.History]
}

// NewZones returns a memory of what store reads.
func NewZones(store *postgres.Store) *Zones {
	return &Zones{
		store: store,
		recent: otter.Must(&otter.Options[int16, localtime.History]{
			MaximumSize: maxZones, ExpiryCalculator: otter.ExpiryWriting[int16, localtime.History](zonesTTL),
		}),
		last: otter.Must(&otter.Options[int16, localtime.History]{MaximumSize: maxZones}),
	}
}

// Close stops the goroutines that remove expired entries.
func (z *Zones) Close() {
	z.recent.StopAllGoroutines()
	z.last.StopAllGoroutines()
}

// of returns the zones of a project.
func (z *Zones) of(ctx context.Context, project int16) (localtime.History, error) {
	if z.Off {
		return z.store.Zones(ctx, project)
	}
	return z.recent.Get(ctx, project, otter.LoaderFunc[int16, localtime.History](z.read))
}

// unchanged reports whether the zones of a project are still those, as far as the process knows without asking Postgres.
func (z *Zones) unchanged(p project) bool {
	known, ok := z.recent.GetIfPresent(p.ID)
	return ok && known.Equal(p.calendar.Zones)
}

// read reads the zones of a project. Others may wait for the same, so it does not end with the request that began it.
func (z *Zones) read(ctx context.Context, project int16) (localtime.History, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
	defer cancel()
	history, err := z.store.Zones(ctx, project)
	if err != nil {
		if known, ok := z.last.GetIfPresent(project); ok {
			return known, nil
		}
		return nil, err
	}
	z.last.Set(project, history)
	return history, nil
}
