package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

const (
	// deliveryTimeout bounds how long clients retry after the last fault until everything is acknowledged.
	deliveryTimeout = 2 * time.Minute
	// restTimeout bounds the time until the platform is idle. Asynq takes up to two minutes to notice that the worker of a
	// task has died.
	restTimeout = 4 * time.Minute
	// idleTime is how long no work may be left for the platform to count as idle.
	idleTime = 3 * time.Second
)

// trial is one run.
type trial struct {
	options
	platform *platform
	ledger   *ledger.Ledger
	traffic  *traffic.Traffic
	queue    *check.Queue
	key      string
	out      io.Writer
}

func newTrial(o options, p *platform, out io.Writer) *trial {
	return &trial{options: o, platform: p, ledger: ledger.New(), queue: check.NewQueue(p.RedisClient), out: out}
}

func (t *trial) print(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// run injects the faults under load, waits until the platform is idle, and checks it. Differences are an error.
func (t *trial) run(ctx context.Context, faults []fault.Fault) error {
	key, products, err := t.platform.fill(ctx)
	if err != nil {
		return err
	}
	t.key = key
	t.traffic = traffic.New(traffic.Options{
		URL: t.platform.ingest.URL(), Key: key, Seed: t.seed, Begin: time.Now(), Products: products,
	}, t.ledger)
	t.print("Faults as they are injected:")
	counts, err := t.injectUnderLoad(ctx, faults)
	if err != nil {
		return err
	}
	t.print("All faults are over and everything is acknowledged. Waiting until the platform is idle.")
	began := time.Now()
	unsettled, err := t.settle(ctx)
	if err != nil {
		return err
	}
	t.print("Idle after %s.", time.Since(began).Round(time.Second))
	report, err := t.check(ctx)
	if err != nil {
		return err
	}
	t.summarize(counts, report)
	findings := slices.Concat(unsettled, report.Findings, t.platform.Crashes(), t.unexercised(counts))
	return verdict(t.out, findings)
}

// injectUnderLoad injects the faults while clients send. It returns when everything that they sent is acknowledged, or after
// deliveryTimeout.
func (t *trial) injectUnderLoad(ctx context.Context, faults []fault.Fault) (map[fault.Kind]int, error) {
	delivery, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() { t.traffic.Run(delivery, t.clients, stop) })
	counts, err := fault.NewInjector(t.targets(), t.out).Run(ctx, faults)
	close(stop)
	if err != nil {
		giveUp()
	}
	defer time.AfterFunc(deliveryTimeout, giveUp).Stop()
	clients.Wait()
	return counts, err
}

// targets are the parts of the platform that faults can hit.
func (t *trial) targets() fault.Platform {
	p := t.platform
	proxies := map[string]fault.Proxy{}
	for name, front := range p.proxies {
		proxies[name] = front
	}
	return fault.Platform{
		Parts: map[string]fault.Part{
			fault.Postgres: p.Postgres, fault.Redis: p.Redis, fault.Ingest: p.ingest, fault.Aggregator: p.aggregator,
		},
		Proxies: proxies,
		WipeRedis: func(ctx context.Context) error {
			if err := p.RedisClient.FlushAll(ctx).Err(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			return nil
		},
		Committer: committer{t.traffic},
		Network: func(target string, drop bool) {
			p.proxies[target].Drop(drop)
			p.relays[target].Drop(drop)
		},
		ReadOnly: p.readOnly,
		Damage:   p.damage,
		Slow:     t.slow,
		Counts:   t.traffic.Counts,
	}
}

// committer fills the committer of ingest.
type committer struct{ traffic *traffic.Traffic }

// Burst sends eight times as many events as may wait. About half of the requests name a product that does not exist, and wait for
// Postgres before they reach the committer; others are in its flushes.
func (c committer) Burst(ctx context.Context, number int) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	const size = 100
	c.traffic.Burst(ctx, number, 8*maxWaitingRows/size, size)
}

// Overloads counts the answers that report overload.
func (c committer) Overloads() int { return c.traffic.Count("503 overloaded") }

// settle waits until no work has been left for idleTime. If that takes too long, the remaining work is a finding.
func (t *trial) settle(ctx context.Context) (findings []string, err error) {
	for _, s := range []*deployment.Service{t.platform.ingest, t.platform.aggregator} {
		if err := s.AwaitReady(ctx); err != nil {
			findings = append(findings, err.Error())
		}
	}
	waiting, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	for since := time.Now(); time.Since(since) < idleTime; {
		left, err := check.Remaining(waiting, t.platform.DB, t.queue)
		if err != nil || left != (check.Left{}) {
			since = time.Now()
		}
		if localproc.Pause(waiting, 50*time.Millisecond) != nil {
			return append(findings, fmt.Sprintf("not idle within %s: left are %+v, %v", restTimeout, left, err)), context.Cause(ctx)
		}
	}
	return findings, nil
}

func (t *trial) check(ctx context.Context) (check.Report, error) {
	local, err := localtime.Load(zone)
	if err != nil {
		return check.Report{}, err
	}
	c := check.Checker{
		DB: t.platform.DB, Zone: local, Account: t.ledger.Account(), Receipt: t.receipt, Reconcile: t.reconcile, Queue: t.queue,
	}
	return c.Run(ctx)
}
