package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

const (
	products = 1000
	users    = 1000
)

// platform is the system under test.
type platform struct {
	*deployment.Deployment
	api       *client.Client
	profiles  string            // directory for CPU profiles; empty for none
	profilers map[string]string // URL of the profiles, by service
	key       string            // an API key that may ingest and read
	products  []string          // ids
}

// startPlatform starts everything and fills the catalog. stop must be called even after an error.
func startPlatform(ctx context.Context, o options) (p *platform, err error) {
	p = &platform{profiles: o.profiles, profilers: map[string]string{}}
	if p.Deployment, err = deployment.Start(ctx, deployment.Config{Bin: o.bin, Dir: filepath.Join(o.dir, "platform")}); err != nil {
		return p, err
	}
	for _, name := range []string{"catalog", "ingest", "analytics", "aggregator"} {
		if err := p.start(ctx, name); err != nil {
			return p, err
		}
	}
	return p, p.fill(ctx)
}

// start starts a service, with a profiler if profiles are wanted.
func (p *platform) start(ctx context.Context, name string, environ ...string) error {
	if p.profiles != "" {
		address, err := deployment.FreeAddress(ctx)
		if err != nil {
			return err
		}
		p.profilers[name] = "http://" + address
		environ = append(environ, "PPROF_ADDR="+address)
	}
	_, err := p.Launch(ctx, name, environ...)
	return err
}

// startAggregator starts the aggregator with a number of workers and connections for them.
func (p *platform) startAggregator(ctx context.Context, workers int) error {
	return p.start(ctx, "aggregator", fmt.Sprintf("AGGREGATOR_CONCURRENCY=%d", workers), fmt.Sprintf("DATABASE_MAX_CONNS=%d", workers+8))
}

// stopAggregator stops the aggregator, if it runs.
func (p *platform) stopAggregator() error {
	delete(p.profilers, "aggregator")
	return p.Halt("aggregator")
}

// ingestURL returns the base URL of ingest, which takes all load.
func (p *platform) ingestURL() string { return p.Service("ingest").URL() }

// fill creates the API key and the products.
func (p *platform) fill(ctx context.Context) error {
	wanted := make([]client.ProductCreateRequest, products)
	for i := range wanted {
		wanted[i] = client.ProductCreateRequest{
			SKU: fmt.Sprintf("BENCH-%04d", i), Name: fmt.Sprintf("Product %d", i), PriceMinor: int64(100 + i), Currency: "EUR",
		}
	}
	key, stored, err := p.Fill(ctx, wanted)
	if err != nil {
		return err
	}
	p.key = key
	for _, product := range stored {
		p.products = append(p.products, product.ID.String())
	}
	// A repeated request would hide an error and lengthen a latency.
	p.api, err = client.New(p.ingestURL(), client.WithRoute("analytics", p.Service("analytics").URL()),
		client.WithAPIKey(key), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	return err
}

// subject returns the processes that count when the platform is measured.
func (p *platform) subject() subject {
	pids := map[string][]int{}
	for _, s := range p.Services() {
		column := "others"
		switch s.Name() {
		case "ingest":
			column = "service"
		case "aggregator":
			column = "worker"
		}
		pids[column] = append(pids[column], s.PID())
	}
	return newSubject(p.Databases, pids, p.Service("ingest").PID())
}

// settle waits until every batch is folded.
func (p *platform) settle(ctx context.Context) error {
	return until(ctx, 5*time.Minute, "every batch is folded", func() (bool, error) {
		var pending bool
		err := p.DB.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ingest.batches WHERE aggregated_at IS NULL)`).Scan(&pending)
		return !pending, err
	})
}

// reconcile has the platform recount its numbers and returns the last line of the output.
func (p *platform) reconcile(ctx context.Context) (string, error) {
	out, err := p.Command(ctx, "reconcile")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
}
