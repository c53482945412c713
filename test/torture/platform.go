package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

const (
	products = 40
	// zone is that of the project. Its hours begin at half past those of UTC, and its days five and a half hours before.
	zone = "Asia/Kolkata"
	// maxWaitingRows bounds the committer of ingest. It is small, so that bursts can fill it.
	maxWaitingRows = 1000
)

// platform is the system under test: a deployment whose ingest and aggregator reach Postgres and Redis through proxies of their own. The
// connections of this program do not use the proxies.
type platform struct {
	*deployment.Deployment
	ingest, aggregator *deployment.Service
	proxies            map[string]*proxy.Proxy // by service
	relays             map[string]*proxy.Relay // to Redis, by service
}

// startPlatform starts everything. stop must be called even after an error.
func startPlatform(ctx context.Context, bin, dir string) (p *platform, err error) {
	p = &platform{proxies: map[string]*proxy.Proxy{}, relays: map[string]*proxy.Relay{}}
	p.Deployment, err = deployment.Start(ctx, deployment.Config{Bin: bin, Dir: dir, Environ: []string{
		"HTTP_ACCESS_LOG=errors", "INGEST_MAX_WAITING_ROWS=" + strconv.Itoa(maxWaitingRows),
	}})
	if err != nil {
		return p, err
	}
	if _, err := p.Launch(ctx, "catalog"); err != nil {
		return p, err
	}
	if p.ingest, err = p.launchBehindProxy(ctx, "ingest"); err != nil {
		return p, err
	}
	p.aggregator, err = p.launchBehindProxy(ctx, "aggregator")
	return p, err
}

func (p *platform) launchBehindProxy(ctx context.Context, name string) (*deployment.Service, error) {
	backend := p.Postgres.Address()
	front, err := proxy.Listen(ctx, backend)
	if err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", name, err)
	}
	p.proxies[name] = front
	redis, err := url.Parse(p.Redis.URL())
	if err != nil {
		return nil, fmt.Errorf("relay of %s: %w", name, err)
	}
	relay, err := proxy.ListenRelay(ctx, redis.Host)
	if err != nil {
		return nil, fmt.Errorf("relay of %s: %w", name, err)
	}
	p.relays[name] = relay
	redis.Host = relay.Addr()
	return p.Launch(ctx, name, "DATABASE_URL="+strings.Replace(p.Postgres.URL(), backend, front.Addr(), 1), "REDIS_URL="+redis.String())
}

// stop stops everything.
func (p *platform) stop() error {
	problems := []error{p.Stop()}
	for _, front := range p.proxies {
		problems = append(problems, front.Close())
	}
	for _, relay := range p.relays {
		problems = append(problems, relay.Close())
	}
	return errors.Join(problems...)
}

// fill sets the time zone of the project, and creates an API key and the products. Their order is the same in every run.
func (p *platform) fill(ctx context.Context) (key string, catalog []traffic.Product, err error) {
	wanted := make([]client.ProductCreateRequest, products)
	for i := range wanted {
		wanted[i] = client.ProductCreateRequest{
			SKU: fmt.Sprintf("TORTURE-%02d", i), Name: fmt.Sprintf("Product %d", i), PriceMinor: int64(100 + 7*i), Currency: "EUR",
		}
	}
	const set = `WITH wanted AS (UPDATE auth.projects SET time_zone = $1) UPDATE stats.zones SET time_zone = $1`
	if _, err := p.DB.Exec(ctx, set, zone); err != nil {
		return "", nil, fmt.Errorf("set the time zone: %w", err)
	}
	key, stored, err := p.Fill(ctx, wanted)
	for _, s := range stored {
		catalog = append(catalog, traffic.Product{ID: s.ID, SKU: s.SKU, PriceMinor: s.PriceMinor, Currency: s.Currency})
	}
	return key, catalog, err
}
