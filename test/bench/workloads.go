package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// workload is one line of work and the rows that it gives.
type workload struct {
	name    string
	measure func(ctx context.Context, b *bench) ([]row, error)
}

// workers is the concurrency of the aggregator beside a load: its default.
const workers = 2

// workloads returns what is measured, in order.
func workloads() []workload {
	list := []workload{
		sending("events", false, one("/events", bodies.eventRequests)),
		sending("events, folding on", true, one("/events", bodies.eventRequests)),
		{"end to end: half of that rate, folding on", halfRate},
		sending("purchases", false, one("/purchases", bodies.purchaseRequests)),
		sending("bulk of 100", false, many(100, jsonType)),
		sending("bulk of 1,000", false, many(1000, jsonType)),
		sending("bulk of 1,000 NDJSON", false, ndjson),
		sending("bulk of 1,000 zstd", false, zstdBulk),
		{"bulk of 1,000, folding on", burst},
	}
	for _, n := range []int{1, 2, 4, 8} {
		name := fmt.Sprintf("drain, %d workers", n)
		if n == 1 {
			name = "drain, 1 worker"
		}
		list = append(list, workload{name, func(ctx context.Context, b *bench) ([]row, error) {
			r, err := b.platform.drain(ctx, name, n, b.duration)
			return []row{r}, err
		}})
	}
	return append(list,
		workload{"reconcile", reconcile},
		workload{"raw: COPY of 1,000", func(ctx context.Context, b *bench) ([]row, error) { return b.rawCopy(ctx, 1000) }},
		workload{"raw: COPY of 4,000", func(ctx context.Context, b *bench) ([]row, error) { return b.rawCopy(ctx, 4000) }},
		workload{"raw: net/http + encoding/json", rawHTTP},
		workload{"baseline events", baselineLoad(contestEvents, false)},
		workload{"baseline events, worker on", baselineLoad(contestEvents, true)},
		workload{"baseline bulk of 1,000 (loop)", baselineLoad(contestBulk1000, false)},
		workload{"baseline drain", baselineDrain},
	)
}

// sent is a load without its time: what is sent, and over how many connections.
type sent struct {
	load    load.Load
	perOne  int // events a request
	problem error
}

func (b bodies) eventRequests() []string    { return singles(b.event) }
func (b bodies) purchaseRequests() []string { return singles(b.purchase) }

// one sends a single item with each request.
func one(path string, make func(bodies) []string) func(*platform) sent {
	return func(p *platform) sent {
		return p.sent(path, 1, make(p.bodies()), jsonType)
	}
}

// many sends bulk requests of JSON.
func many(size int, headers ...string) func(*platform) sent {
	return func(p *platform) sent { return p.sent("/events/bulk", size, p.bodies().bulk(size), headers...) }
}

func ndjson(p *platform) sent {
	return p.sent("/events/bulk", 1000, p.bodies().joined(1000, "", "\n", "\n"), ndjsonType)
}

func zstdBulk(p *platform) sent {
	small, err := compress(p.bodies().bulk(1000))
	s := p.sent("/events/bulk", 1000, small, jsonType, "Content-Encoding: zstd")
	s.problem = err
	return s
}

func (p *platform) sent(path string, perOne int, bodies []string, headers ...string) sent {
	url := p.services["ingest"].url
	return sent{load: load.Load{URL: url, Requests: requests(url, path, []string{p.key}, bodies, headers...)}, perOne: perOne}
}

// connectionsFor gives bulk of 1,000 an eighth: each of its requests keeps a server busy for long.
func (o options) connectionsFor(perOne int) int {
	if perOne >= 1000 {
		return max(1, o.connections/8)
	}
	return o.connections
}

// sending is a closed load on the platform.
func sending(name string, fold bool, make func(*platform) sent) workload {
	return workload{name, func(ctx context.Context, b *bench) ([]row, error) {
		r, err := b.send(ctx, name, fold, make(b.platform), 0)
		return []row{r}, err
	}}
}

// send puts a load on the platform, with or without the aggregator beside it. What it has left behind is folded before
// the next.
func (b *bench) send(ctx context.Context, name string, fold bool, s sent, rate float64) (row, error) {
	if s.problem != nil {
		return row{}, s.problem
	}
	p := b.platform
	if !fold {
		p.halt("aggregator")
	} else if p.services["aggregator"] == nil {
		if err := p.startAggregator(ctx, workers); err != nil {
			return row{}, err
		}
	}
	s.load.Connections, s.load.Duration, s.load.Rate = b.connectionsFor(s.perOne), b.duration, rate
	var r row
	err := p.profiled(ctx, name, b.duration, func() (err error) {
		r, err = measure(ctx, name, s.load, s.perOne, p.subject())
		return err
	})
	if err != nil {
		return r, err
	}
	end := time.Now()
	if !fold {
		if err := p.startAggregator(ctx, workers); err != nil {
			return r, err
		}
	}
	err = p.settle(ctx)
	r.after = time.Since(end)
	return r, err
}

// halfRate offers half of what the platform can take while it folds, and looks how soon single events are seen.
func halfRate(ctx context.Context, b *bench) ([]row, error) {
	events := one("/events", bodies.eventRequests)(b.platform)
	full, ok := b.find("events, folding on")
	if !ok { // -only
		var err error
		if full, err = b.send(ctx, "", true, events, 0); err != nil {
			return nil, err
		}
	}
	offered := full.events / 2
	var r row
	var seen []row
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		name := fmt.Sprintf("events, half of that offered (%s/s), folding on", thousands(offered))
		r, err = b.send(groupCtx, name, true, events, offered)
		return err
	})
	group.Go(func() (err error) {
		seen, err = b.platform.probe(groupCtx, b.duration+warmUp(b.duration)) // the warm-up as well: it is as busy
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return append([]row{r}, seen...), nil
}

// burst sends bulk at full rate with the aggregator on, then takes the time until the rollups are right.
func burst(ctx context.Context, b *bench) ([]row, error) {
	r, err := b.send(ctx, "bulk of 1,000, folding on", true, many(1000, jsonType)(b.platform), 0)
	return []row{r, timeRow(fmt.Sprintf("… after these %s until everything is folded", b.duration), r.after)}, err
}

// reconcile recounts every number of the platform: a rate that is bought with wrong numbers is worth nothing.
func reconcile(ctx context.Context, b *bench) ([]row, error) {
	said, err := b.platform.command(ctx, "reconcile")
	lines := strings.Split(said, "\n")
	b.notes = append(b.notes, "`hp-analytics reconcile` after all of it: "+lines[len(lines)-1])
	return nil, err
}
