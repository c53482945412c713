package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

const (
	// probeInterval is the time between two probes: often enough for a p99, too seldom to add load.
	probeInterval = 50 * time.Millisecond
	// probeTimeout bounds the time until a probe is seen.
	probeTimeout = 30 * time.Second
)

// The ways to see a probe.
const (
	seenInAPI     = "sent until seen in GET /analytics/users/{id}/summary"
	seenInReceipt = "sent until the receipt says aggregated"
	seenInRollup  = "sent until the rollup row is in Postgres"
)

// prober sends events of users of their own, and measures in each way how long it takes until an event is seen.
type prober struct {
	platform *platform
	run      string // distinguishes the users of this run
	mu       sync.Mutex
	seen     map[string][]time.Duration
}

// probe sends probes for a time and returns a row for each way to see them.
func (p *platform) probe(ctx context.Context, lasts time.Duration) ([]row, error) {
	b := &prober{platform: p, run: strconv.FormatInt(time.Now().UnixNano(), 10), seen: map[string][]time.Duration{}}
	group, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for k := 0; k < int(lasts/probeInterval) && ctx.Err() == nil; k++ {
		group.Go(func() error { return b.one(ctx, k) })
		<-tick.C
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var rows []row
	for _, way := range []string{seenInAPI, seenInReceipt, seenInRollup} {
		latencies := b.seen[way]
		slices.Sort(latencies)
		r := newRow("… "+way, load.Outcome{Answered: len(latencies), Latencies: latencies, Took: lasts}, 1)
		r.requests, r.events = 0, 0 // the row of the load has them
		rows = append(rows, r)
	}
	return rows, nil
}

// one sends an event of a new user and looks for it in all ways at once. It polls the API as a user who reloads a page
// does, so the latency includes every cache.
func (b *prober) one(ctx context.Context, k int) error {
	user := fmt.Sprintf("probe-%s-%d", b.run, k)
	product, err := uuid.Parse(b.platform.products[k%len(b.platform.products)])
	if err != nil {
		return fmt.Errorf("product: %w", err)
	}
	begin := time.Now()
	sent, err := b.platform.api.CreateEvent(ctx, client.EventInput{ProductID: product, Type: "view", UserID: user}, nil)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error {
		return b.look(ctx, seenInAPI, begin, func() (bool, error) {
			summary, err := b.platform.api.UserSummary(ctx, user, nil)
			return summary.Totals.Events == 1, err
		})
	})
	group.Go(func() error {
		return b.look(ctx, seenInReceipt, begin, func() (bool, error) {
			receipt, err := b.platform.api.GetBatchReceipt(ctx, sent.BatchID)
			return receipt.State == client.BatchStateAggregated, err
		})
	})
	group.Go(func() error {
		return b.look(ctx, seenInRollup, begin, func() (seen bool, err error) {
			err = b.platform.DB.QueryRow(ctx, `
				SELECT EXISTS (SELECT FROM stats.user_daily JOIN ingest.users ON n = user_n WHERE id = $1 AND events = 1)`, user).Scan(&seen)
			return seen, err
		})
	})
	return group.Wait()
}

func (b *prober) look(ctx context.Context, way string, begin time.Time, seen func() (bool, error)) error {
	if err := until(ctx, probeTimeout, way, seen); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[way] = append(b.seen[way], time.Since(begin))
	return nil
}
