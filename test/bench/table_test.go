package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/usage"
)

func TestTable(t *testing.T) {
	t.Parallel()
	sent := newRow("bulk", load.Outcome{
		Answered: 4, Took: 2 * time.Second, Failed: map[string]int{"503": 2, "429": 1},
		Latencies: []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond, 4500 * time.Microsecond},
	}, 1000)
	sent.charge(4000, map[string]time.Duration{"service": time.Second, "Redis": time.Second}, map[string]time.Duration{
		"service": time.Second + 40*time.Millisecond, "Redis": time.Second, "Postgres": 4 * time.Millisecond,
	})
	sent.load, sent.memory = 0.26, usage.Memory{Peak: 51, Grew: -0.021}
	rows := []row{
		sent,
		timeRow("after it", 1234*time.Millisecond),
		workRow("drain", 3_000_000, 2*time.Second, nil, map[string]time.Duration{"worker": 3 * time.Second}),
	}
	var out bytes.Buffer
	printTable(&out, rows)
	const want = `| work | requests/s | events/s | p50 ms | p95 ms | p99 ms | errors | CPU µs/event | service | worker | Postgres | Redis | others | load | MiB | grew |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| bulk | 2 | 2,000 | 2.0 | 4.5 | 4.5 | 1 x 429, 2 x 503 | 11.0 | 10.0 |  | 1.0 |  |  | 0.3 | 51 | -2 % |
| after it |  |  | 1234.0 |  |  |  |  |  |  |  |  |  |  |  |  |
| drain |  | 1,500,000 |  |  |  |  | 1.0 |  | 1.0 |  |  |  |  |  |  |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	rowsAt := func(rates ...float64) (rows []row) {
		for _, r := range rates {
			rows = append(rows, row{events: r, total: 1e6 / r, p50: time.Millisecond, p99: 2 * time.Millisecond, answered: 10, after: time.Second})
		}
		return rows
	}
	ours, theirs := rowsAt(900, 100, 1000, 1100), rowsAt(190, 200, 7)
	theirs[2].failed = map[string]int{"500": 3}
	var out bytes.Buffer
	printResults(&out, []*result{
		{comparison: comparison{name: "events", variant: "MICRO=1", goal: goal{rate: 1.8, cpu: 2, after: time.Second}}, ours: ours, theirs: theirs},
		{comparison: comparison{name: "not measured"}},
	})
	const want = `| work | Fastify + BullMQ | HP Analytics | rate | goal | CPU | goal | rollups correct after (theirs, ours) | goal |
|---|---|---|--:|--:|--:|--:|--:|--:|
| events, peer with MICRO=1 | 190/s, 5263.2 µs, p50 1.0 ms, p99 2.0 ms, errors 3 x 500 | 950/s, 1055.6 µs, p50 1.0 ms, p99 2.0 ms | 5.0x | ≥ 1.8x | 5.0x | ≥ 2x | 1.00 s, 1.00 s | ≤ 1s |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}
