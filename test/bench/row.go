package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/usage"
)

// row is one line of the table.
type row struct {
	name     string
	requests float64 // per second
	events   float64 // per second
	mean     time.Duration
	p50, p95 time.Duration
	p99      time.Duration
	noise    float64 // largest relative deviation of the rate or the CPU time of a third of the load from those of all of it
	once     bool    // p50 is a single measurement, not a percentile
	answered int
	failed   map[string]int     // requests, by status
	cpu      map[string]float64 // µs per event, by column
	total    float64            // of all columns
	load     float64            // CPU µs per event of this program; not part of the total
	memory   usage.Memory       // of the service
	after    time.Duration      // from the end of the load until everything is folded
}

// tolerated is the share of requests that may fail. A row with more is an error; fewer are shown in the row.
const tolerated = 0.05

// newRow returns the row of a load.
func newRow(name string, o load.Outcome, perRequest int) row {
	return row{
		name: name, mean: o.Mean(), p50: o.Percentile(50), p95: o.Percentile(95), p99: o.Percentile(99), answered: o.Answered, failed: o.Failed,
		requests: float64(o.Answered) / o.Took.Seconds(), events: float64(o.Answered*perRequest) / o.Took.Seconds(),
	}
}

// charge sets the CPU time that each of n events took.
func (r *row) charge(n int, before, after map[string]time.Duration) {
	r.cpu = map[string]float64{}
	for column := range after {
		used := float64((after[column] - before[column]).Microseconds()) / float64(max(1, n))
		r.cpu[column] = used
		r.total += used
	}
}

// timeRow returns the row of a single duration.
func timeRow(name string, took time.Duration) row { return row{name: name, p50: took, once: true} }

// workRow returns the row of work that needs no requests.
func workRow(name string, events int, took time.Duration, before, after map[string]time.Duration) row {
	r := row{name: name, events: float64(events) / took.Seconds()}
	r.charge(events, before, after)
	return r
}

// warmUp is how long a load runs before it is measured. After a checkpoint, Postgres writes each page to the WAL in full the
// first time it changes, which would make short rows look expensive.
func warmUp(duration time.Duration) time.Duration {
	return max(duration/8, min(duration/2, time.Second))
}

// parts is how many parts of a load are compared, to learn how much its numbers vary.
const parts = 3

// measure is observe for a load of which nearly all requests have to succeed.
func measure(ctx context.Context, name string, l load.Load, perRequest int, s subject) (row, error) {
	r, err := observe(ctx, name, l, perRequest, s)
	if err != nil {
		return r, err
	}
	failed := 0
	for _, n := range r.failed {
		failed += n
	}
	if all := r.answered + failed; r.answered == 0 || float64(failed) > tolerated*float64(all) {
		return r, fmt.Errorf("of %d requests %d failed: %v", all, failed, r.failed)
	}
	return r, nil
}

// observe runs a load and returns its row. A load that sends every request once has no warm-up.
func observe(ctx context.Context, name string, l load.Load, perRequest int, s subject) (row, error) {
	if err := s.checkpoint(ctx); err != nil {
		return row{}, err
	}
	if !l.Once {
		warm := l
		warm.Duration = warmUp(l.Duration)
		if _, err := warm.Run(ctx); err != nil {
			return row{}, err
		}
		l.Parts = parts
	}
	memory := func() usage.Memory { return usage.Memory{} }
	if s.main != 0 {
		memory = usage.Watch(s.main)
	}
	own, sampled := usage.OwnCPU(), s.sample(l.Duration, l.Parts)
	result, err := l.Run(ctx)
	watched, samples := memory(), sampled()
	if err != nil {
		return row{}, err
	}
	if err := ctx.Err(); err != nil {
		return row{}, fmt.Errorf("under load: %w", err)
	}
	r := newRow(name, result, perRequest)
	r.charge(result.Answered*perRequest, samples[0], samples[len(samples)-1])
	r.noise = noise(result.Parts, samples)
	r.load = float64((usage.OwnCPU() - own).Microseconds()) / float64(max(1, result.Answered*perRequest))
	r.memory = watched
	return r, nil
}

// noise returns the largest relative deviation of the rate or the CPU time per answer of a part from the mean of all parts;
// 0 if it is not known. samples are the CPU times at the beginning and at the end of each part.
func noise(answers []int, samples []map[string]time.Duration) (most float64) {
	if len(answers) < 2 || len(samples) != len(answers)+1 {
		return 0
	}
	all := 0
	for _, n := range answers {
		all += n
	}
	rate := float64(all) / float64(len(answers))
	perAnswer := float64(sum(samples[len(answers)])-sum(samples[0])) / float64(max(1, all))
	for i, n := range answers {
		most = max(most, math.Abs(float64(n)/rate-1))
		if perAnswer > 0 && n > 0 {
			most = max(most, math.Abs(float64(sum(samples[i+1])-sum(samples[i]))/float64(n)/perAnswer-1))
		}
	}
	return most
}

func sum(columns map[string]time.Duration) (all time.Duration) {
	for _, used := range columns {
		all += used
	}
	return all
}
