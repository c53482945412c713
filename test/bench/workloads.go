package main

import (
	"context"
	"fmt"
	"time"
)

const (
	jsonType   = "Content-Type: application/json"
	ndjsonType = "Content-Type: application/x-ndjson"
)

// openRate is the rate of the open model: far below what the platform can do, so that latency is not that of a queue.
const openRate = 5000

// workload is one row of the table.
type workload struct {
	name    string
	measure func(ctx context.Context, p *platform) (row, error)
}

// workloads returns what is measured, in order.
func workloads(o options) []workload {
	few := max(1, o.connections/8)
	sending := func(name string, connections, perRequest int, aggregate bool, make func(p *platform) ([][]byte, error)) workload {
		return workload{name, func(ctx context.Context, p *platform) (row, error) {
			requests, err := make(p)
			if err != nil {
				return row{}, err
			}
			l := load{url: p.services["ingest"].url, requests: requests, connections: connections, duration: o.duration}
			return p.underLoad(ctx, name, l, perRequest, aggregate)
		}}
	}
	open := func(ctx context.Context, p *platform) (row, error) {
		name := "events, 5,000/s offered, folding on"
		requests := p.requests("/events", singles(p.event), jsonType)
		l := load{url: p.services["ingest"].url, requests: requests, connections: o.connections, duration: o.duration, rate: openRate}
		return p.underLoad(ctx, name, l, 1, true)
	}
	plain := func(path string, bodies func(p *platform) []string, headers ...string) func(*platform) ([][]byte, error) {
		return func(p *platform) ([][]byte, error) { return p.requests(path, bodies(p), headers...), nil }
	}
	events := func(p *platform) []string { return singles(p.event) }
	bulk := func(size int) func(p *platform) []string {
		return func(p *platform) []string { return p.bulk(max(20, 4000/size), size, `{"events":[`, ",", "]}") }
	}
	lines := func(p *platform) []string { return p.bulk(20, 1000, "", "\n", "\n") }
	return []workload{
		sending("events", o.connections, 1, false, plain("/events", events, jsonType)),
		sending("events, folding on", o.connections, 1, true, plain("/events", events, jsonType)),
		{"events, 5,000/s offered, folding on", open},
		sending("purchases", o.connections, 1, false, plain("/purchases", func(p *platform) []string { return singles(p.purchase) }, jsonType)),
		sending("bulk of 100", o.connections, 100, false, plain("/events/bulk", bulk(100), jsonType)),
		sending("bulk of 1,000", few, 1000, false, plain("/events/bulk", bulk(1000), jsonType)),
		sending("bulk of 1,000 NDJSON", few, 1000, false, plain("/events/bulk", lines, ndjsonType)),
		sending("bulk of 1,000 zstd", few, 1000, false, func(p *platform) ([][]byte, error) {
			bodies, err := compress(bulk(1000)(p))
			return p.requests("/events/bulk", bodies, jsonType, "Content-Encoding: zstd"), err
		}),
		{"drain, 1 worker", func(ctx context.Context, p *platform) (row, error) { return p.drain(ctx, "drain, 1 worker", 1) }},
		{"drain, 2 workers", func(ctx context.Context, p *platform) (row, error) { return p.drain(ctx, "drain, 2 workers", 2) }},
		{"raw: COPY", func(ctx context.Context, p *platform) (row, error) { return p.rawCopy(ctx, o.duration) }},
		{"raw: net/http", func(ctx context.Context, p *platform) (row, error) { return p.rawHTTP(ctx, o) }},
	}
}

// underLoad measures a load, with or without the aggregator beside it. What it has left behind is folded before the next.
func (p *platform) underLoad(ctx context.Context, name string, l load, perRequest int, aggregate bool) (row, error) {
	if !aggregate {
		p.halt("aggregator")
	}
	warm := l
	warm.duration = time.Second
	if _, err := warm.run(ctx); err != nil {
		return row{}, err
	}
	before := cpuOf(p.pids())
	var result outcome
	err := p.profiled(ctx, name, l.duration, func() (err error) {
		result, err = l.run(ctx)
		return err
	})
	if err != nil {
		return row{}, err
	}
	if result.failed > 0 {
		return row{}, fmt.Errorf("%d of %d requests failed, the last with %s", result.failed, result.failed+result.answered, result.failure)
	}
	r := newRow(name, result, perRequest, before, cpuOf(p.pids()))
	r.memory = residentMiB(p.services["ingest"].cmd.Process.Pid)
	if !aggregate {
		if err := p.start(ctx, "aggregator", "AGGREGATOR_CONCURRENCY=2"); err != nil {
			return row{}, err
		}
	}
	return r, p.settle(ctx)
}

// settle waits until everything is folded.
func (p *platform) settle(ctx context.Context) error {
	return until(ctx, 5*time.Minute, "everything is folded", func() (bool, error) {
		n, err := p.pending(ctx)
		return n == 0, err
	})
}

// drain measures how fast workers fold what has piled up.
func (p *platform) drain(ctx context.Context, name string, workers int) (row, error) {
	p.halt("aggregator")
	l := load{
		url: p.services["ingest"].url, connections: 8, duration: 6 * time.Second,
		requests: p.requests("/events/bulk", p.bulk(20, 1000, `{"events":[`, ",", "]}"), jsonType),
	}
	if _, err := l.run(ctx); err != nil {
		return row{}, err
	}
	n, err := p.pending(ctx)
	if err != nil {
		return row{}, err
	}
	if err := p.start(ctx, "aggregator", fmt.Sprintf("AGGREGATOR_CONCURRENCY=%d", workers)); err != nil {
		return row{}, err
	}
	before, begin := cpuOf(p.pids()), time.Now()
	left, err := p.pending(ctx) // it may have begun before it was ready
	if err != nil {
		return row{}, err
	}
	if err := p.settle(ctx); err != nil {
		return row{}, err
	}
	took := time.Since(begin)
	if left == 0 { // all done before it was called ready: nothing to measure by
		return row{}, fmt.Errorf("%d rows are too few to measure", n)
	}
	return newRow(name, outcome{answered: left, took: took}, 1, before, cpuOf(p.pids())), nil
}
