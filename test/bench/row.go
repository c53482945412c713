package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// row is one line of the table.
type row struct {
	name     string
	requests float64 // a second
	events   float64 // a second
	p50, p95 time.Duration
	p99      time.Duration
	once     bool // there is one time and not a distribution: it is p50
	answered int
	failed   map[string]int     // requests, by status
	cpu      map[string]float64 // µs per event, by column
	total    float64            // of all columns
	load     float64            // CPU µs per event of this program, not in the total
	memory   process.Memory     // of the service
	after    time.Duration      // from the end of the load until everything is folded
}

// tolerated is the share of requests that may fail before a row is worth nothing. What fails below it is shown.
const tolerated = 0.05

// newRow makes the row of a load.
func newRow(name string, o load.Outcome, perRequest int) row {
	return row{
		name: name, p50: o.Percentile(50), p95: o.Percentile(95), p99: o.Percentile(99), answered: o.Answered, failed: o.Failed,
		requests: float64(o.Answered) / o.Took.Seconds(), events: float64(o.Answered*perRequest) / o.Took.Seconds(),
	}
}

// charge adds the processor time that n events have taken.
func (r *row) charge(n int, before, after map[string]time.Duration) {
	r.cpu = map[string]float64{}
	for column := range after {
		used := float64((after[column] - before[column]).Microseconds()) / float64(max(1, n))
		r.cpu[column] = used
		r.total += used
	}
}

// timeRow makes the row of one time.
func timeRow(name string, took time.Duration) row { return row{name: name, p50: took, once: true} }

// workRow makes the row of work that is done without requests.
func workRow(name string, events int, took time.Duration, before, after map[string]time.Duration) row {
	r := row{name: name, events: float64(events) / took.Seconds()}
	r.charge(events, before, after)
	return r
}

// warmUp is how long work goes on before it is measured. After a checkpoint the first change of each page is written to
// the WAL as a whole page, which would make short rows look dear.
func warmUp(duration time.Duration) time.Duration {
	return max(duration/8, min(duration/2, time.Second))
}

// measure puts a load on and makes its row.
func measure(ctx context.Context, name string, l load.Load, perRequest int, s subject) (row, error) {
	if err := s.checkpoint(ctx); err != nil {
		return row{}, err
	}
	warm := l
	warm.Duration = warmUp(l.Duration)
	if _, err := warm.Run(ctx); err != nil {
		return row{}, err
	}
	memory := func() process.Memory { return process.Memory{} }
	if s.main != 0 {
		memory = process.Watch(s.main)
	}
	before, own := s.cpu(), process.OwnCPU()
	result, err := l.Run(ctx)
	watched := memory()
	if err != nil {
		return row{}, err
	}
	if err := ctx.Err(); err != nil {
		return row{}, fmt.Errorf("under load: %w", err)
	}
	r := newRow(name, result, perRequest)
	r.charge(result.Answered*perRequest, before, s.cpu())
	r.load = float64((process.OwnCPU() - own).Microseconds()) / float64(max(1, result.Answered*perRequest))
	r.memory = watched
	if all := result.Answered + result.FailedTotal(); result.Answered == 0 || float64(result.FailedTotal()) > tolerated*float64(all) {
		return r, fmt.Errorf("of %d requests %d failed: %v", all, result.FailedTotal(), result.Failed)
	}
	return r, nil
}
