package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// contest is a workload that the platform and its own baseline run by turns.
type contest struct {
	name    string
	perOne  int // events per request
	measure func(ctx context.Context, b *bench, p *platform) (row, error)
}

// contests returns the reads, with warm caches and as many keys as these hold, and after them the writes.
func contests() (all []contest) {
	for _, r := range reads() {
		all = append(all, contest{r.name, 1, func(ctx context.Context, b *bench, p *platform) (row, error) {
			return p.read(ctx, b.options, r, conditions{hot: r.name == "health", keys: r.warmKeys, fill: p == b.platform, connections: b.connections})
		}})
	}
	for _, w := range []struct {
		name string
		scenario
	}{{"events", singleEvents}, {"purchases", singlePurchases}, {"bulk of 100", bulkOf100}, {"bulk of 1,000", bulkOf1000}} {
		all = append(all, contest{w.name, w.perOne, func(ctx context.Context, b *bench, p *platform) (row, error) {
			return p.write(ctx, b.options, w.scenario)
		}})
	}
	return all
}

// write measures a load of writes while the aggregator is stopped.
func (p *platform) write(ctx context.Context, o options, s scenario) (row, error) {
	if err := errors.Join(p.stopAggregator(), p.emptyLogs()); err != nil {
		return row{}, err
	}
	url := p.ingestURL()
	l := load.Load{
		URL: url, Requests: requests(url, s.path, []string{p.key}, s.bodies(p.bodies()), jsonType),
		Connections: o.connectionsFor(s.perOne), Duration: o.duration,
	}
	return measure(ctx, "", l, s.perOne, p.subject())
}

// baselineTable measures the platform and its baseline by turns: the same programs with PERFORMANCE_BASELINE, which turns the
// caches off, on databases of their own without secondary indexes.
func baselineTable(ctx context.Context, b *bench) (t table, err error) {
	baseline, err := startPlatform(ctx, b.options, "baseline", "PERFORMANCE_BASELINE=true")
	defer func() { err = errors.Join(err, baseline.Stop()) }()
	if err != nil {
		return table{}, err
	}
	if err := baseline.dropIndexes(ctx); err != nil {
		return table{}, err
	}
	t = table{keys: []string{"work", "side"}, numbers: []string{
		rateColumn, "mean ms", "p95 ms", "p99 ms", "errors", "CPU µs/request", "service", "Postgres", "Redis", noiseColumn, "rate", "CPU",
	}}
	for i, c := range contests() {
		if !b.wants(c.name) {
			continue
		}
		rows := map[*platform]row{}
		for turn := range 2 {
			p := []*platform{baseline, b.platform}[(i+turn)%2]
			r, err := c.measure(ctx, b, p)
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.name, err)
			}
			r.name = c.name
			rows[p] = r
		}
		slow, fast := rows[baseline], rows[b.platform]
		b.report(slow, "baseline")
		b.report(fast, "optimised")
		t.add(append([]string{c.name, "baseline"}, slow.contestCells(c.perOne, "", "")...)...)
		t.add(append([]string{c.name, "optimised"}, fast.contestCells(c.perOne, times(fast.requests/slow.requests), times(slow.total/fast.total))...)...)
	}
	// What was written to the platform is folded before the next table.
	if b.platform.Service("aggregator") == nil {
		if err := b.platform.startAggregator(ctx, workers); err != nil {
			return t, err
		}
	}
	return t, b.platform.settle(ctx)
}

func (r row) contestCells(perOne int, rates, cpu string) []string {
	n := float64(perOne)
	return []string{
		rate(r.requests), milliseconds(r.mean), milliseconds(r.p95), milliseconds(r.p99), r.errors(), micros(n * r.total),
		micros(n * r.cpu["service"]), micros(n * r.cpu["Postgres"]), micros(n * r.cpu["Redis"]), percent(r.noise), rates, cpu,
	}
}

// dropIndexes drops every index that enforces nothing.
func (p *platform) dropIndexes(ctx context.Context) error {
	rows, err := p.DB.Query(ctx, `
		SELECT format('DROP INDEX %I.%I', n.nspname, c.relname)
		FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('catalog', 'ingest', 'stats') AND NOT i.indisunique AND NOT c.relispartition`)
	if err != nil {
		return fmt.Errorf("list the secondary indexes: %w", err)
	}
	drops, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list the secondary indexes: %w", err)
	}
	if _, err := p.DB.Exec(ctx, strings.Join(drops, ";")); err != nil {
		return fmt.Errorf("drop the secondary indexes: %w", err)
	}
	return nil
}
