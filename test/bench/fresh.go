package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

const (
	// probeInterval is how often a marked event is sent: often enough for a p99, too seldom to be a load.
	probeInterval = 50 * time.Millisecond
	// probePatience is how long one may take to be seen before that is an error.
	probePatience = 30 * time.Second
)

// The ways in which a marked event is looked for.
const (
	seenInAPI     = "sent until seen in GET /analytics/users/{id}/summary"
	seenInReceipt = "sent until the receipt says aggregated"
	seenInRollup  = "sent until the rollup row is in Postgres"
)

// prober sends marked events and takes the time until each is seen, in every way.
type prober struct {
	p    *platform
	run  string // makes the marks of this run new
	mu   sync.Mutex
	seen map[string][]time.Duration
}

// probe sends marked events for a time and returns a row for each way of seeing them.
func (p *platform) probe(ctx context.Context, lasts time.Duration) ([]row, error) {
	b := &prober{p: p, run: strconv.FormatInt(time.Now().UnixNano(), 10), seen: map[string][]time.Duration{}}
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
		r.requests, r.events = 0, 0 // the load's row has them
		rows = append(rows, r)
	}
	return rows, nil
}

// one sends an event of a user who has no other, and looks for it in all ways at once, as somebody who reloads a page
// does: through every cache there is.
func (b *prober) one(ctx context.Context, k int) error {
	user := fmt.Sprintf("probe-%s-%d", b.run, k)
	begin := time.Now()
	var answer struct {
		BatchID string `json:"batch_id"`
	}
	ingest := b.p.services["ingest"].url
	body := fmt.Sprintf(`{"product_id":"%s","type":"view","user_id":"%s"}`, b.p.products[k%len(b.p.products)], user)
	if err := post(ctx, ingest+"/events", b.p.key, body, &answer); err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error {
		return b.look(ctx, seenInAPI, begin, func() (bool, error) {
			var summary struct{ Totals struct{ Events int } }
			err := b.read(ctx, b.p.services["analytics"].url+"/analytics/users/"+url.PathEscape(user)+"/summary", &summary)
			return summary.Totals.Events == 1, err
		})
	})
	group.Go(func() error {
		return b.look(ctx, seenInReceipt, begin, func() (bool, error) {
			var receipt struct{ State string }
			err := b.read(ctx, ingest+"/events/batches/"+answer.BatchID, &receipt)
			return receipt.State == "aggregated", err
		})
	})
	group.Go(func() error {
		return b.look(ctx, seenInRollup, begin, func() (seen bool, err error) {
			err = b.p.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM stats.user_daily WHERE user_id = $1 AND events = 1)`, user).Scan(&seen)
			return seen, err
		})
	})
	return group.Wait()
}

func (b *prober) look(ctx context.Context, way string, begin time.Time, seen func() (bool, error)) error {
	if err := until(ctx, probePatience, way, seen); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[way] = append(b.seen[way], time.Since(begin))
	return nil
}

func (b *prober) read(ctx context.Context, url string, into any) error {
	answer, err := get(ctx, url, b.p.key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s answers %q: %w", url, answer, err)
	}
	return nil
}
