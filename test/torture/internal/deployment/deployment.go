// Package deployment runs the platform as production does, each service a process of its own, on a durable Postgres and a
// Redis that it starts for the purpose, with a proxy between each service under test and Postgres. Every part can be
// killed, paused and started again.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/proxy"
)

// MaxWaitingRows bounds ingest's committer: small, so that it can be filled.
const MaxWaitingRows = 1000

// Deployment is a running platform.
type Deployment struct {
	Postgres           *Postgres
	Redis              *Redis
	Ingest, Aggregator *Service
	Proxies            map[string]*proxy.Proxy // by the service that is behind it
	DB                 *pgxpool.Pool           // past the proxies
	RedisClient        *redis.Client

	bin, dir string
	environ  []string
	services []*Service // all that are running, in the order of their start
}

// Start starts everything, and makes the accounts and the catalog. bin holds the programs; what is written goes to dir.
// After an error as well Stop must be called.
func Start(ctx context.Context, bin, dir string) (*Deployment, error) {
	d := &Deployment{bin: bin, dir: dir, Postgres: &Postgres{dir: dir}, Redis: &Redis{dir: dir}, Proxies: map[string]*proxy.Proxy{}}
	if err := d.startDatabases(ctx); err != nil {
		return d, err
	}
	d.environ = append(os.Environ(),
		"DATABASE_URL="+d.Postgres.server.URL(), "REDIS_URL="+d.Redis.server.URL(),
		"ADMIN_PASSWORD="+adminPassword, "SHUTDOWN_DRAIN_DELAY=0s", "HTTP_ACCESS_LOG=errors",
		"INGEST_RATE_LIMIT=1000000000", "INGEST_MAX_WAITING_ROWS="+strconv.Itoa(MaxWaitingRows))
	for _, args := range [][]string{{"migrate", "up"}, {"admin", "create", "--email", adminEmail}} {
		if out, err := d.Command(ctx, args...); err != nil {
			return d, fmt.Errorf("%w: %s", err, out)
		}
	}
	auth, err := d.launch(ctx, "auth", false)
	if err != nil {
		return d, err
	}
	d.environ = append(d.environ, "JWKS_URL="+auth.url+"/auth/.well-known/jwks.json")
	if d.Ingest, err = d.launch(ctx, "ingest", true); err != nil {
		return d, err
	}
	d.Aggregator, err = d.launch(ctx, "aggregator", true)
	return d, err
}

func (d *Deployment) startDatabases(ctx context.Context) error {
	if err := errors.Join(d.Postgres.Start(ctx), d.Redis.Start(ctx)); err != nil {
		return err
	}
	var err error
	if d.DB, err = pgxpool.New(ctx, d.Postgres.server.URL()); err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	options, err := redis.ParseURL(d.Redis.server.URL())
	if err != nil {
		return fmt.Errorf("connect to Redis: %w", err)
	}
	d.RedisClient = redis.NewClient(options)
	return nil
}

// launch starts a service, behind a proxy of its own if it is to be tested, and waits until it is ready.
func (d *Deployment) launch(ctx context.Context, name string, tested bool) (*Service, error) {
	port, err := localproc.FreePort(ctx)
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &Service{
		name: name, program: filepath.Join(d.bin, name), url: "http://" + address, log: filepath.Join(d.dir, name+".log"),
		environ: append(slices.Clone(d.environ), "HTTP_ADDR="+address),
	}
	if tested {
		backend := net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Postgres.server.Port()))
		p, err := proxy.Listen(ctx, backend)
		if err != nil {
			return nil, fmt.Errorf("proxy of %s: %w", name, err)
		}
		d.Proxies[name] = p
		s.environ = append(s.environ, "DATABASE_URL="+strings.Replace(d.Postgres.server.URL(), backend, p.Addr(), 1))
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	d.services = append(d.services, s)
	return s, d.AwaitReady(ctx, s)
}

// Stop stops everything.
func (d *Deployment) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var problems []error
	for _, s := range slices.Backward(d.services) {
		problems = append(problems, s.Stop(ctx))
	}
	for _, p := range d.Proxies {
		problems = append(problems, p.Close())
	}
	if d.DB != nil {
		d.DB.Close()
	}
	if d.RedisClient != nil {
		problems = append(problems, d.RedisClient.Close())
	}
	return errors.Join(append(problems, d.Redis.Stop(ctx), d.Postgres.Stop(ctx))...)
}

// Crashes returns the ends of services that nobody asked for.
func (d *Deployment) Crashes() (all []string) {
	for _, s := range d.services {
		all = append(all, s.Crashes()...)
	}
	return all
}
