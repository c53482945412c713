package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

const (
	products = 1000 // that are written to; there may be more to read
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

// startPlatform starts everything in a directory of its own and fills it. Stop must be called even after an error.
func startPlatform(ctx context.Context, o options, dir string, environ ...string) (p *platform, err error) {
	p = &platform{profiles: o.profiles, profilers: map[string]string{}}
	// As in deployment: the limits are for callers beside others, and the table of overloads has its own.
	environ = append(environ, "ANALYTICS_COST_LIMIT=1000000000", "ANALYTICS_PROJECT_COST_LIMIT=0", "HTTP_MAX_CONCURRENT_REQUESTS=-1")
	if p.Deployment, err = deployment.Start(ctx, deployment.Config{Bin: o.bin, Dir: filepath.Join(o.dir, dir), Environ: environ}); err != nil {
		return p, err
	}
	for _, name := range []string{"catalog", "ingest", "analytics", "aggregator"} {
		if err := p.start(ctx, name); err != nil {
			return p, err
		}
	}
	if err := p.fill(ctx, o.products); err != nil {
		return p, err
	}
	return p, p.seed(ctx)
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
func (p *platform) fill(ctx context.Context, n int) error {
	wanted := make([]client.ProductCreateRequest, n)
	for i := range wanted {
		wanted[i] = client.ProductCreateRequest{
			SKU: fmt.Sprintf("BENCH-%06d", i), Name: fmt.Sprintf("Product %d", i), PriceMinor: int64(100 + i), Currency: "EUR",
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

// largestLog is the size in bytes from which a log is emptied before a row: every request writes a line.
const largestLog = 64 << 20

// emptyLogs empties the large logs of the services, so that they do not fill the disk.
func (p *platform) emptyLogs() error {
	logs, _ := filepath.Glob(filepath.Join(p.Dir, "*.log")) // the pattern is good
	for _, log := range logs {
		if info, err := os.Stat(log); err != nil || info.Size() < largestLog {
			continue
		}
		if err := os.Truncate(log, 0); err != nil {
			return fmt.Errorf("empty a log: %w", err)
		}
	}
	return nil
}

// emptyEvents deletes the raw events, but not what was counted of them. The peer begins each row with empty tables, and the indexes of
// small tables cost less.
func (p *platform) emptyEvents(ctx context.Context) error {
	if _, err := p.DB.Exec(ctx, `TRUNCATE ingest.events`); err != nil {
		return fmt.Errorf("empty the events: %w", err)
	}
	return nil
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
