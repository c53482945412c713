package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/check"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/deployment"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/fault"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

const (
	// deliveryTimeout bounds how long clients go on after the last fault until they are answered.
	deliveryTimeout = 2 * time.Minute
	// restTimeout bounds how long the platform may take to come to rest. Asynq takes up to two minutes to notice that the
	// worker of a task has died.
	restTimeout = 4 * time.Minute
	// rest is how long nothing must be left to do.
	rest = 3 * time.Second
)

// trial is one run on a deployment.
type trial struct {
	options
	deployment *deployment.Deployment
	ledger     *ledger.Ledger
	traffic    *traffic.Traffic
	queue      *check.Queue
	key        string
	out        io.Writer
}

func newTrial(o options, d *deployment.Deployment, out io.Writer) *trial {
	return &trial{options: o, deployment: d, ledger: ledger.New(), queue: check.NewQueue(d.RedisClient), out: out}
}

func (t *trial) print(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// run injects the faults under load, waits until everything is at rest, and checks. Differences are an error.
func (t *trial) run(ctx context.Context, faults []fault.Fault) error {
	key, products, err := t.deployment.Fill(ctx)
	if err != nil {
		return err
	}
	t.key = key
	t.traffic = traffic.New(traffic.Options{
		URL: t.deployment.Ingest.URL(), Key: key, Seed: t.seed, Begin: time.Now(), Products: products,
	}, t.ledger)
	t.print("As injected:")
	counts, err := t.suffer(ctx, faults)
	if err != nil {
		return err
	}
	t.print("All faults are over and everything is acknowledged; coming to rest.")
	began := time.Now()
	restless, err := t.settle(ctx)
	if err != nil {
		return err
	}
	t.print("At rest after %s.", time.Since(began).Round(time.Second))
	report, err := t.check(ctx)
	if err != nil {
		return err
	}
	t.summarize(counts, report)
	findings := slices.Concat(restless, report.Findings, t.deployment.Crashes(), t.idle(counts))
	return verdict(t.out, findings)
}

// suffer injects the faults under load, and returns when everything that was sent is acknowledged, or time is up.
func (t *trial) suffer(ctx context.Context, faults []fault.Fault) (map[fault.Kind]int, error) {
	delivery, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() { t.traffic.Run(delivery, t.clients, stop) })
	counts, err := fault.NewInjector(t.platform(), t.out).Run(ctx, faults)
	close(stop)
	if err != nil {
		giveUp()
	}
	defer time.AfterFunc(deliveryTimeout, giveUp).Stop()
	clients.Wait()
	return counts, err
}

// platform shows the injector the deployment.
func (t *trial) platform() fault.Platform {
	d := t.deployment
	proxies := map[string]fault.Proxy{}
	for name, p := range d.Proxies {
		proxies[name] = p
	}
	return fault.Platform{
		Parts: map[string]fault.Part{
			fault.Postgres: d.Postgres, fault.Redis: d.Redis, fault.Ingest: d.Ingest, fault.Aggregator: d.Aggregator,
		},
		Proxies: proxies,
		WipeRedis: func(ctx context.Context) error {
			if err := d.RedisClient.FlushAll(ctx).Err(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			return nil
		},
		Committer: committer{t.traffic},
	}
}

// committer fills the committer of ingest with events.
type committer struct{ traffic *traffic.Traffic }

// Burst sends three times what may wait.
func (c committer) Burst(ctx context.Context, number int) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	const size = 100
	c.traffic.Burst(ctx, number, 3*deployment.MaxWaitingRows/size, size)
}

// Overloads counts the answers that something is full.
func (c committer) Overloads() int { return c.traffic.Count("503 overloaded") }

// settle waits until nothing is left to do, and stays so for a while. What is left when time is up is found by the checks.
func (t *trial) settle(ctx context.Context) (findings []string, err error) {
	d := t.deployment
	for _, s := range []*deployment.Service{d.Ingest, d.Aggregator} {
		if err := d.AwaitReady(ctx, s); err != nil {
			findings = append(findings, err.Error())
		}
	}
	waiting, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	for since := time.Now(); time.Since(since) < rest; {
		left, err := check.Remaining(waiting, d.DB, t.queue)
		if err != nil || left != (check.Left{}) {
			since = time.Now()
		}
		if localproc.Pause(waiting, 50*time.Millisecond) != nil {
			return append(findings, fmt.Sprintf("not at rest within %s: left are %+v, %v", restTimeout, left, err)), context.Cause(ctx)
		}
	}
	return findings, nil
}

func (t *trial) check(ctx context.Context) (check.Report, error) {
	c := check.Checker{
		DB: t.deployment.DB, Account: t.ledger.Account(), Receipt: t.receipt, Reconcile: t.reconcile, Queue: t.queue,
	}
	return c.Run(ctx)
}
