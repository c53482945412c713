package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// comparison is a workload that the platform and the peer run by turns.
type comparison struct {
	name    string
	variant string // configuration of the peer; empty for its default
	ours    func(ctx context.Context, b *bench) (row, error)
	theirs  func(ctx context.Context, b *bench, v *reference) (row, error)
	goal    goal
}

// goal is the ratio to the peer that the platform aims for; 0 is no goal.
type goal struct {
	rate, cpu float64
	after     time.Duration // from the end of the load until the rollups are correct
}

// comparisons returns all comparisons in the order of the table. The goals are those of the project.
func comparisons() []comparison {
	bulkJob := "BULK_JOB=1" // one job per request instead of one per event: the peer at its best
	return []comparison{
		{"events", "", oursSent(singleEvents, false), theirsSent(singleEvents, false), goal{rate: 5, cpu: 5}},
		{"events, worker on", "", oursSent(singleEvents, true), theirsSent(singleEvents, true), goal{5, 8, time.Second}},
		{"events, worker on", "MICRO=1", oursSent(singleEvents, true), theirsSent(singleEvents, true, "MICRO=1"), goal{cpu: 2.5, after: time.Second}},
		{"purchases", "", oursSent(singlePurchases, false), theirsSent(singlePurchases, false), goal{rate: 5, cpu: 5}},
		{"bulk of 100", "", oursSent(bulkOf100, false), theirsSent(bulkOf100, false), goal{}},
		{"bulk of 1,000", "", oursSent(bulkOf1000, false), theirsSent(bulkOf1000, false), goal{rate: 4, cpu: 5}},
		{"bulk of 1,000", bulkJob, oursSent(bulkOf1000, false), theirsSent(bulkOf1000, false, bulkJob), goal{}},
		{"bulk of 1,000, worker on", bulkJob, oursSent(bulkOf1000, true), theirsSent(bulkOf1000, true, bulkJob), goal{after: time.Second}},
		{"bulk of 100, worker on", "", oursSent(bulkOf100, true), theirsSent(bulkOf100, true), goal{after: time.Second}},
		{"drain, 1 worker", "", oursDrained, theirsDrained(singleEvents), goal{rate: 50}},
		{"drain, 1 worker", bulkJob, oursDrained, theirsDrained(bulkOf1000, bulkJob), goal{}},
	}
}

func oursSent(s scenario, worker bool) func(context.Context, *bench) (row, error) {
	return func(ctx context.Context, b *bench) (row, error) {
		return b.send(ctx, "", worker, b.platform.traffic(s.path, s.perOne, s.bodies(b.platform.bodies()), jsonType), 0)
	}
}

func oursDrained(ctx context.Context, b *bench) (row, error) {
	return b.platform.drain(ctx, "", 1, b.duration)
}

func theirsSent(s scenario, worker bool, environ ...string) func(context.Context, *bench, *reference) (row, error) {
	return func(ctx context.Context, b *bench, v *reference) (row, error) {
		return v.send(ctx, b.options, "", s, worker, environ...)
	}
}

func theirsDrained(s scenario, environ ...string) func(context.Context, *bench, *reference) (row, error) {
	return func(ctx context.Context, b *bench, v *reference) (row, error) {
		return v.drain(ctx, b.options, "", s, environ...)
	}
}

// result is a comparison with its rows of all rounds.
type result struct {
	comparison
	ours, theirs []row
}

// compare measures the platform and the peer by turns, round after round, so that other load on the machine affects both.
// It prints the medians.
func (b *bench) compare(ctx context.Context, out io.Writer) (err error) {
	peer, err := newPeer(ctx, b.options)
	defer func() { err = errors.Join(err, peer.Stop()) }()
	if err != nil {
		return err
	}
	var results []*result
	for _, c := range comparisons() {
		if b.wants(c.name) {
			results = append(results, &result{comparison: c})
		}
	}
	defer func() { printResults(out, results) }()
	for round := range b.rounds {
		for _, r := range results {
			if err := b.measureBoth(ctx, r, peer, round); err != nil {
				return fmt.Errorf("%s %s: %w", r.name, r.variant, err)
			}
		}
	}
	return nil
}

// measureBoth runs one round of a comparison. The platform begins in every other round.
func (b *bench) measureBoth(ctx context.Context, r *result, peer *reference, round int) error {
	for turn := range 2 {
		name, rows := "the platform", &r.ours
		var measured row
		var err error
		if (round+turn)%2 == 0 {
			measured, err = r.comparison.ours(ctx, b)
		} else {
			name, rows = "the peer", &r.theirs
			measured, err = r.comparison.theirs(ctx, b, peer)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*rows = append(*rows, measured)
		_, _ = fmt.Fprintf(b.progress, "%s  round %d, %s %s, %s: %s events/s, %.1f µs, p99 %s ms, rollups correct after %s\n", time.Now().Format(time.TimeOnly),
			round+1, r.name, r.variant, name, thousands(measured.events), measured.total, milliseconds(measured.p99), measured.after.Round(time.Millisecond))
	}
	return nil
}

func printResults(out io.Writer, results []*result) {
	_, _ = fmt.Fprintln(out, "| work | Fastify + BullMQ | HP Analytics | rate | goal | CPU | goal | rollups correct after (theirs, ours) | goal |")
	_, _ = fmt.Fprintln(out, "|---|---|---|--:|--:|--:|--:|--:|--:|")
	for _, r := range results {
		if len(r.ours) == 0 || len(r.theirs) == 0 {
			continue
		}
		name := r.name
		if r.variant != "" {
			name += ", peer with " + r.variant
		}
		ours, theirs := median(r.ours), median(r.theirs)
		after, most := "", ""
		if ours.after > 0 && theirs.after > 0 {
			after = fmt.Sprintf("%.2f s, %.2f s", theirs.after.Seconds(), ours.after.Seconds())
		}
		if r.goal.after > 0 {
			most = fmt.Sprintf("≤ %s", r.goal.after)
		}
		_, _ = fmt.Fprintf(out, "| %s | %s | %s | %.1fx | %s | %.1fx | %s | %s | %s |\n", name, theirs.brief(), ours.brief(),
			ours.events/theirs.events, atLeast(r.goal.rate), theirs.total/ours.total, atLeast(r.goal.cpu), after, most)
	}
}

func atLeast(times float64) string {
	if times == 0 {
		return ""
	}
	return fmt.Sprintf("≥ %gx", times)
}

// brief returns a row as the text of one cell.
func (r row) brief() string {
	s := fmt.Sprintf("%s/s, %.1f µs", thousands(r.events), r.total)
	if r.p99 > 0 {
		s += ", p50 " + milliseconds(r.p50) + " ms, p99 " + milliseconds(r.p99) + " ms"
	}
	if e := r.errors(); e != "" && e != "0" {
		s += ", errors " + e
	}
	return s
}

// median returns the median of each number by itself, and the sum of the failures.
func median(rows []row) row {
	m := row{failed: map[string]int{}}
	m.events = middle(rows, func(r row) float64 { return r.events })
	m.total = middle(rows, func(r row) float64 { return r.total })
	m.p50 = middle(rows, func(r row) time.Duration { return r.p50 })
	m.p99 = middle(rows, func(r row) time.Duration { return r.p99 })
	m.after = middle(rows, func(r row) time.Duration { return r.after })
	for _, r := range rows {
		m.answered += r.answered
		for status, n := range r.failed {
			m.failed[status] += n
		}
	}
	return m
}

func middle[N float64 | time.Duration](rows []row, of func(row) N) N {
	all := make([]N, len(rows))
	for i, r := range rows {
		all[i] = of(r)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
