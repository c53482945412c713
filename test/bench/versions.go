package main

import (
	"context"
	"errors"
	"fmt"
)

// versionsTable measures the workloads of writes with the programs under test and with those of -before, by turns, so that both meet
// the same machine. Each version has its own databases, migrated and filled by its own programs. The table has the medians of -rounds.
func versionsTable(ctx context.Context, b *bench) (t table, err error) {
	o := b.options
	o.bin = b.before
	former, err := startPlatform(ctx, o, "before")
	defer func() { err = errors.Join(err, former.Stop()) }()
	if err != nil {
		return table{}, err
	}
	sides := []*bench{{options: o, progress: b.progress, platform: former}, b}
	names := []string{"before", "after"}
	results := map[string][2][]row{}
	for round := range b.rounds {
		for _, w := range workloads() {
			if !b.wants(w.name) {
				continue
			}
			both := results[w.name]
			for turn := range sides {
				i := (round + turn) % len(sides)
				if err := sides[i].platform.emptyLogs(); err != nil {
					return t, err
				}
				rows, err := w.measure(ctx, sides[i])
				if err != nil {
					return t, fmt.Errorf("%s %s: %w", w.name, names[i], err)
				}
				both[i] = append(both[i], rows[0])
				b.report(rows[0], names[i], fmt.Sprintf("round %d", round+1))
			}
			results[w.name] = both
		}
	}
	t = table{keys: []string{"work", "version"}, numbers: append([]string{"events/s", "p50 ms", "p99 ms", "CPU µs/event"}, append(columns, "CPU")...)}
	for _, w := range workloads() {
		both, measured := results[w.name]
		if !measured {
			continue
		}
		before, after := median(both[0]), median(both[1])
		t.add(append([]string{w.name, names[0]}, before.versionCells("")...)...)
		t.add(append([]string{w.name, names[1]}, after.versionCells(fmt.Sprintf("%+.1f %%", 100*(after.total/before.total-1)))...)...)
	}
	return t, nil
}

func (r row) versionCells(change string) []string {
	cells := []string{rate(r.events), milliseconds(r.p50), milliseconds(r.p99), micros(r.total)}
	for _, column := range columns {
		cells = append(cells, micros(r.cpu[column]))
	}
	return append(cells, change)
}
