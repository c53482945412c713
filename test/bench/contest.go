package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// match is one line of work that both the platform and a peer do, in turn.
type match struct {
	name   string
	peers  string // what the peer does otherwise
	ours   func(ctx context.Context, b *bench) (row, error)
	theirs func(ctx context.Context, b *bench, v *rival) (row, error)
	goal   goal
}

// goal is how many times as good as the peer the platform means to be; 0 is no goal.
type goal struct {
	rate, cpu float64
	after     time.Duration // until rollups are right
}

// matches returns what is compared, in order. The goals are those that the project has set itself.
func matches() []match {
	bulkJob := "BULK_JOB=1" // a job a request instead of one an event: the peer at its best
	return []match{
		{"events", "", oursSent(contestEvents, false), theirsSent(contestEvents, false), goal{rate: 5, cpu: 5}},
		{"events, worker on", "", oursSent(contestEvents, true), theirsSent(contestEvents, true), goal{5, 8, time.Second}},
		{"events, worker on", "MICRO=1", oursSent(contestEvents, true), theirsSent(contestEvents, true, "MICRO=1"), goal{cpu: 2.5, after: time.Second}},
		{"purchases", "", oursSent(contestPurchases, false), theirsSent(contestPurchases, false), goal{rate: 5, cpu: 5}},
		{"bulk of 100", "", oursSent(contestBulk100, false), theirsSent(contestBulk100, false), goal{}},
		{"bulk of 1,000", "", oursSent(contestBulk1000, false), theirsSent(contestBulk1000, false), goal{rate: 4, cpu: 5}},
		{"bulk of 1,000", bulkJob, oursSent(contestBulk1000, false), theirsSent(contestBulk1000, false, bulkJob), goal{}},
		{"bulk of 1,000, worker on", bulkJob, oursSent(contestBulk1000, true), theirsSent(contestBulk1000, true, bulkJob), goal{after: time.Second}},
		{"bulk of 100, worker on", "", oursSent(contestBulk100, true), theirsSent(contestBulk100, true), goal{after: time.Second}},
		{"drain, 1 worker", "", oursDrained, theirsDrained(contestEvents), goal{rate: 50}},
		{"drain, 1 worker", bulkJob, oursDrained, theirsDrained(contestBulk1000, bulkJob), goal{}},
	}
}

func oursSent(c contest, worker bool) func(context.Context, *bench) (row, error) {
	return func(ctx context.Context, b *bench) (row, error) {
		return b.send(ctx, "", worker, b.platform.sent(c.path, c.perOne, c.bodies(b.platform.bodies()), jsonType), 0)
	}
}

func oursDrained(ctx context.Context, b *bench) (row, error) {
	return b.platform.drain(ctx, "", 1, b.duration)
}

func theirsSent(c contest, worker bool, environ ...string) func(context.Context, *bench, *rival) (row, error) {
	return func(ctx context.Context, b *bench, v *rival) (row, error) {
		return v.send(ctx, b.options, "", c, worker, environ...)
	}
}

func theirsDrained(c contest, environ ...string) func(context.Context, *bench, *rival) (row, error) {
	return func(ctx context.Context, b *bench, v *rival) (row, error) {
		return v.drain(ctx, b.options, "", c, rivalPatience, environ...)
	}
}

// result is a match over all rounds.
type result struct {
	match
	ours, theirs []row
}

// compare measures the platform and the peer in turn, round after round, so that what the machine does otherwise hits
// both, and prints the medians.
func (b *bench) compare(ctx context.Context, out io.Writer) (err error) {
	peer, err := newPeer(ctx, b.options)
	defer func() { err = errors.Join(err, peer.stop()) }()
	if err != nil {
		return err
	}
	var results []*result
	for _, m := range matches() {
		if b.wants(m.name) {
			results = append(results, &result{match: m})
		}
	}
	defer func() { printResults(out, results) }()
	for round := range b.rounds {
		for _, r := range results {
			if err := b.play(ctx, r, peer, round); err != nil {
				return fmt.Errorf("%s %s: %w", r.name, r.peers, err)
			}
		}
	}
	return nil
}

// play is one round of a match. Who begins takes turns as well.
func (b *bench) play(ctx context.Context, r *result, peer *rival, round int) error {
	for turn := range 2 {
		name, rows := "the platform", &r.ours
		var measured row
		var err error
		if (round+turn)%2 == 0 {
			measured, err = r.match.ours(ctx, b)
		} else {
			name, rows = "the peer", &r.theirs
			measured, err = r.match.theirs(ctx, b, peer)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*rows = append(*rows, measured)
		_, _ = fmt.Fprintf(b.progress, "%s  round %d, %s %s, %s: %s events/s, %.1f µs, p99 %s ms, right after %s\n", time.Now().Format(time.TimeOnly),
			round+1, r.name, r.peers, name, thousands(measured.events), measured.total, milliseconds(measured.p99), measured.after.Round(time.Millisecond))
	}
	return nil
}

func printResults(out io.Writer, results []*result) {
	_, _ = fmt.Fprintln(out, "| work | Fastify + BullMQ | HP Analytics | rate | goal | CPU | goal | rollups right after (theirs, ours) | goal |")
	_, _ = fmt.Fprintln(out, "|---|---|---|--:|--:|--:|--:|--:|--:|")
	for _, r := range results {
		if len(r.ours) == 0 || len(r.theirs) == 0 {
			continue
		}
		name := r.name
		if r.peers != "" {
			name += ", there with " + r.peers
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

// brief is a row in a cell.
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

// median takes the median of each number by itself; what failed is added up.
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
