package main

import (
	"bytes"
	"math"
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
	sent.load, sent.memory, sent.noise = 0.26, usage.Memory{Peak: 51, Grew: -0.021}, 0.123
	rows := []row{
		sent,
		timeRow("after it", 1234*time.Millisecond),
		workRow("drain", 3_000_000, 2*time.Second, nil, map[string]time.Duration{"worker": 3 * time.Second}),
	}
	var out bytes.Buffer
	newWrites(rows).writeTo(&out)
	const want = `| work | requests/s | events/s | mean ms | p50 ms | p95 ms | p99 ms | errors | CPU µs/event | service | worker | Postgres | Redis | others | load | MiB | grew | ± |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| bulk | 2 | 2,000 | 2.6 | 2.0 | 4.5 | 4.5 | 1 x 429, 2 x 503 | 11.0 | 10.0 |  | 1.0 |  |  | 0.3 | 51 | -2 % | 13 % |
| after it |  |  |  | 1234.0 |  |  |  |  |  |  |  |  |  |  |  |  |  |
| drain |  | 1,500,000 |  |  |  |  |  | 1.0 |  | 1.0 |  |  |  |  |  |  |  |
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
	newComparisons([]*result{
		{comparison: comparison{name: "events", variant: "MICRO=1", goal: goal{rate: 1.8, cpu: 5.5, p99: 1, after: time.Second}}, ours: ours, theirs: theirs},
		{comparison: comparison{name: "not measured"}},
	}).writeTo(&out)
	const want = `| work | peer/s | ours/s | rate | goal | CPU µs of the peer | CPU µs of ours | CPU | goal | p50 ms of the peer | p50 ms of ours | p99 ms of the peer | p99 ms of ours | p99 | goal | errors of the peer | errors of ours | correct after s, peer | correct after s, ours | goal |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| events, peer with MICRO=1 | 190 | 950 | 5.0x | ≥ 1.8x: reached | 5263.2 | 1055.6 | 5.0x | ≥ 5.5x: **missed** | 1.0 | 1.0 | 2.0 | 2.0 | 1.0x | ≥ 1x: reached | 3 x 500 | 0 | 1.00 | 1.00 | ≤ 1s: reached |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	at := func(service, redis time.Duration) map[string]time.Duration {
		return map[string]time.Duration{"service": service, "Redis": redis}
	}
	for name, test := range map[string]struct {
		answers []int
		samples []map[string]time.Duration
		want    float64
	}{
		"steady":            {[]int{10, 10}, []map[string]time.Duration{at(5, 0), at(10, 5), at(15, 10)}, 0},
		"a part is slower":  {[]int{10, 30}, []map[string]time.Duration{at(0, 0), at(10, 0), at(40, 0)}, 0.5},
		"a part costs more": {[]int{10, 10}, []map[string]time.Duration{at(0, 0), at(10, 0), at(10, 30)}, 0.5},
		"one part":          {[]int{10}, []map[string]time.Duration{at(0, 0), at(10, 0)}, 0},
		"ended early":       {[]int{10, 10, 0}, []map[string]time.Duration{at(0, 0), at(10, 0), at(20, 0)}, 0},
	} {
		if got := noise(test.answers, test.samples); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
}
