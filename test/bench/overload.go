package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// The goals under an overload: answers beside those at the maximum, their p99 beside that at the maximum, and memory.
const (
	overloadFactor = 3
	leastGoodput   = 0.8
	mostSlower     = 3
	mostGrowth     = 0.1
)

// strain is work of which more is offered than a service can do.
type strain struct {
	name     string
	service  string // which answers it
	requests func(ctx context.Context, p *platform) ([][]byte, error)
}

// strains returns all rows in order. Reads are of different periods and lengths, so that none of them is in the cache.
func strains() []strain {
	writes := func(s scenario) func(context.Context, *platform) ([][]byte, error) {
		return func(_ context.Context, p *platform) ([][]byte, error) {
			return requests(p.ingestURL(), s.path, []string{p.key}, s.bodies(p.bodies()), jsonType), nil
		}
	}
	return []strain{
		{"events", "ingest", writes(singleEvents)},
		{"bulk of 100", "ingest", writes(bulkOf100)},
		{"top, not cached", "analytics", distinctTops},
	}
}

// distinctTops returns rankings of all periods and lengths of a page.
func distinctTops(ctx context.Context, p *platform) ([][]byte, error) {
	var all []string
	for limit := 1; limit <= 100; limit++ {
		format := fmt.Sprintf("/analytics/products/top?limit=%d&metric=views&from=%%s&to=%%s", limit)
		paths, err := rangePaths("", format)(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, paths[1:]...)
	}
	return gets(p.Service("analytics").URL(), spread(all, func(path string) string { return path }), p.key), nil
}

// overloadTable measures what becomes of a service that is offered three times what it can do.
func overloadTable(ctx context.Context, b *bench) (t table, err error) {
	t = table{keys: []string{"work"}, numbers: []string{
		"maximum/s", "offered/s", "answered/s", "goodput", "goal", "p99 ms at the maximum", "p99 ms", "slower", "goal", "refused", "other errors",
		"CPU µs/answer at the maximum", "CPU µs/refusal", "MiB at first", "MiB at last", "goal", "load at the maximum", "load",
	}}
	for _, s := range strains() {
		if !b.wants(s.name) {
			continue
		}
		cells, err := b.strain(ctx, s)
		if err != nil {
			return t, fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(append([]string{s.name}, cells...)...)
	}
	return t, nil
}

// strain measures a row, on a service with the limits that it has by default. Other tables have none.
func (b *bench) strain(ctx context.Context, s strain) (cells []string, err error) {
	p := b.platform
	restart := func(environ ...string) error {
		return errors.Join(p.emptyLogs(), p.Halt(s.service), p.start(ctx, s.service, environ...))
	}
	if err := errors.Join(p.stopAggregator(), restart("HTTP_MAX_CONCURRENT_REQUESTS=0", "HTTP_MAX_REQUESTS_PER_ADDRESS=0")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restart(), p.startAggregator(ctx, workers), p.settle(ctx)) }()
	l := load.Load{URL: p.Service(s.service).URL(), Connections: b.connections, Duration: b.duration}
	if l.Requests, err = s.requests(ctx, p); err != nil {
		return nil, err
	}
	most, err := measure(ctx, s.name, l, 1, p.strained(s.service))
	if err != nil {
		return nil, fmt.Errorf("the maximum: %w", err)
	}
	b.report(most, "maximum")
	l.Requests = rotated(l.Requests, most.answered) // whose answers are not in a cache yet
	// More connections than slots and places in the queue: clients that wait for nothing open more and more of them.
	l.Connections = max(16*b.connections, 512*runtime.GOMAXPROCS(0))
	l.Rate = overloadFactor * most.requests
	var over row
	if err = p.profiled(ctx, s.name+" overload", b.duration, func() (err error) {
		over, err = observe(ctx, s.name, l, 1, p.strained(s.service))
		return err
	}); err != nil {
		return nil, fmt.Errorf("the overload: %w", err)
	}
	b.report(over, "overload")
	l.Rate, l.Requests = 0, rotated(l.Requests, over.answered)
	refusals, err := p.refusals(ctx, l, p.strained(s.service))
	if err != nil {
		return nil, fmt.Errorf("refusals alone: %w", err)
	}
	return overloadCells(most, over, refusals), nil
}

// rotated returns requests beginning with the one at n.
func rotated(requests [][]byte, n int) [][]byte {
	n %= len(requests)
	return append(requests[n:len(requests):len(requests)], requests[:n]...)
}

// strained returns the processes that count when a service is measured.
func (p *platform) strained(service string) subject {
	pids := map[string][]int{}
	for _, s := range p.Services() {
		column := "others"
		if s.Name() == service {
			column = "service"
		}
		pids[column] = append(pids[column], s.PID())
	}
	return newSubject(p.Databases, pids, p.Service(service).PID())
}

// refusals measures requests while all slots are taken by some that wait for locked tables.
func (p *platform) refusals(ctx context.Context, l load.Load, s subject) (r row, err error) {
	lock, err := p.DB.Begin(ctx)
	if err != nil {
		return r, fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Rollback(context.WithoutCancel(ctx))) }()
	rows, err := lock.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname IN ('ingest', 'stats') AND tablename NOT LIKE 'events\_%' ORDER BY 1`)
	if err != nil {
		return r, fmt.Errorf("list the tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return r, fmt.Errorf("list the tables: %w", err)
	}
	if _, err := lock.Exec(ctx, `LOCK TABLE `+strings.Join(tables, ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return r, fmt.Errorf("lock the tables: %w", err)
	}
	// Requests that wait for the tables end the load later than others. What they cost is a part of what is measured.
	before := s.cpu()
	outcome, err := l.Run(ctx)
	r = newRow("refusals", outcome, 1)
	r.charge(outcome.FailedTotal(), before, s.cpu())
	return r, err
}

// overloadCells returns the row of a maximum, an overload and refusals.
func overloadCells(most, over, refusals row) []string {
	all, refused := over.answered, over.failed["503"]
	others := map[string]int{}
	for why, n := range over.failed {
		all += n
		if why != "503" {
			others[why] = n
		}
	}
	took := time.Duration(float64(over.answered) / over.requests * float64(time.Second))
	goodput, slower := over.requests/most.requests, ratio(over.p99, most.p99)
	return []string{
		rate(most.requests), rate(float64(all) / took.Seconds()), rate(over.requests),
		fmt.Sprintf("%.0f %%", 100*goodput), goalOf(goodput >= leastGoodput, fmt.Sprintf("≥ %.0f %%", 100*leastGoodput)),
		milliseconds(most.p99), milliseconds(over.p99), times(slower), goalOf(slower <= mostSlower, fmt.Sprintf("≤ %dx", mostSlower)),
		thousands(float64(refused)), row{answered: 1, failed: others}.errors(),
		micros(most.total), micros(refusals.total), thousands(float64(over.memory.First)), thousands(float64(over.memory.Last)),
		goalOf(over.memory.Grew <= mostGrowth, fmt.Sprintf("≤ +%.0f %%", 100*mostGrowth)), most.share(most.answered), over.share(over.answered),
	}
}

// goalOf says what a goal is and whether it is reached.
func goalOf(reached bool, goal string) string {
	if reached {
		return goal + ": reached"
	}
	return goal + ": **missed**"
}

// share returns which part of all processors the program that sends has used for n answers.
func (r row) share(n int) string {
	seconds := float64(n) / r.requests
	return percent(r.load * float64(n) / 1e6 / seconds / float64(runtime.NumCPU()))
}
