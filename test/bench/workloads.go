package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// workload is something to measure, and the rows that it yields.
type workload struct {
	name    string
	measure func(ctx context.Context, b *bench) ([]row, error)
}

// workers is the concurrency of the aggregator during a load. It is the default of the aggregator.
const workers = 2

// workloads returns all workloads in the order of the table.
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
		workload{"naive events", baselineLoad(singleEvents, false)},
		workload{"naive events, worker on", baselineLoad(singleEvents, true)},
		workload{"naive bulk of 1,000 (loop)", baselineLoad(bulkOf1000, false)},
		workload{"naive drain", baselineDrain},
	)
}

// traffic is what a load sends.
type traffic struct {
	load    load.Load
	perOne  int // events per request
	problem error
}

func (b bodies) eventRequests() []string    { return singles(b.event) }
func (b bodies) purchaseRequests() []string { return singles(b.purchase) }

// one sends one item with each request.
func one(path string, make func(bodies) []string) func(*platform) traffic {
	return func(p *platform) traffic {
		return p.traffic(path, 1, make(p.bodies()), jsonType)
	}
}

// many sends bulk requests in JSON.
func many(size int, headers ...string) func(*platform) traffic {
	return func(p *platform) traffic { return p.traffic("/events/bulk", size, p.bodies().bulk(size), headers...) }
}

func ndjson(p *platform) traffic {
	return p.traffic("/events/bulk", 1000, p.bodies().joined(1000, "", "\n", "\n"), ndjsonType)
}

func zstdBulk(p *platform) traffic {
	small, err := compress(p.bodies().bulk(1000))
	t := p.traffic("/events/bulk", 1000, small, jsonType, "Content-Encoding: zstd")
	t.problem = err
	return t
}

func (p *platform) traffic(path string, perOne int, bodies []string, headers ...string) traffic {
	url := p.ingestURL()
	return traffic{load: load.Load{URL: url, Requests: requests(url, path, []string{p.key}, bodies, headers...)}, perOne: perOne}
}

// connectionsFor gives bulk of 1,000 an eighth of the connections, because each of its requests takes the server much longer.
func (o options) connectionsFor(perOne int) int {
	if perOne >= 1000 {
		return max(1, o.connections/8)
	}
	return o.connections
}

// sending is a closed-loop load on the platform.
func sending(name string, fold bool, make func(*platform) traffic) workload {
	return workload{name, func(ctx context.Context, b *bench) ([]row, error) {
		r, err := b.send(ctx, name, fold, make(b.platform), 0)
		return []row{r}, err
	}}
}

// send measures a load on the platform, with or without the aggregator running. Afterwards it waits until everything is
// folded, so that the next workload begins without a backlog.
func (b *bench) send(ctx context.Context, name string, fold bool, t traffic, rate float64) (row, error) {
	if t.problem != nil {
		return row{}, t.problem
	}
	p := b.platform
	if !fold {
		if err := p.stopAggregator(); err != nil {
			return row{}, err
		}
	} else if p.Service("aggregator") == nil {
		if err := p.startAggregator(ctx, workers); err != nil {
			return row{}, err
		}
	}
	t.load.Connections, t.load.Duration, t.load.Rate = b.connectionsFor(t.perOne), b.duration, rate
	var r row
	err := p.profiled(ctx, name, b.duration, func() (err error) {
		r, err = measure(ctx, name, t.load, t.perOne, p.subject())
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

// halfRate offers half of the rate that the platform sustains while it folds, and measures how soon single events are seen.
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
		seen, err = b.platform.probe(groupCtx, b.duration+warmUp(b.duration)) // also during the warm-up, which is the same load
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return append([]row{r}, seen...), nil
}

// burst sends bulk at full rate with the aggregator running, and measures the time until everything is folded.
func burst(ctx context.Context, b *bench) ([]row, error) {
	r, err := b.send(ctx, "bulk of 1,000, folding on", true, many(1000, jsonType)(b.platform), 0)
	return []row{r, timeRow(fmt.Sprintf("… after these %s until everything is folded", b.duration), r.after)}, err
}

// reconcile has the platform recount every number: a rate is worth nothing if the numbers are wrong.
func reconcile(ctx context.Context, b *bench) ([]row, error) {
	result, err := b.platform.reconcile(ctx)
	b.notes = append(b.notes, "`hp-analytics reconcile` after all of it: "+result)
	return nil, err
}
