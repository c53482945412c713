package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/localpg"
	"github.com/hp-analytics/hp-analytics/internal/platform/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/localredis"
)

const (
	adminEmail    = "bench@example.com"
	adminPassword = "correct horse battery"
	products      = 1000
)

// platform is the system under test.
type platform struct {
	bin, dir string
	profiles string // where CPU profiles go, if anywhere
	postgres *localpg.Server
	redis    *localredis.Server
	services map[string]*process
	environ  []string
	db       *pgxpool.Pool
	key      string   // an API key that may ingest and read
	products []string // ids
}

// process is a running service.
type process struct {
	cmd      *exec.Cmd
	url      string
	profiler string // URL of its profiles, if they are served
	done     chan struct{}
}

// startPlatform starts everything and fills the catalog. After an error as well stop must be called.
func startPlatform(ctx context.Context, bin, dir, profiles string) (p *platform, err error) {
	p = &platform{bin: bin, dir: dir, profiles: profiles, services: map[string]*process{}}
	logger := slog.New(slog.DiscardHandler)
	if p.postgres, err = localpg.Start(ctx, localpg.Options{Dir: filepath.Join(dir, "postgres"), Logger: logger}); err != nil {
		return p, fmt.Errorf("start Postgres: %w", err)
	}
	if p.redis, err = localredis.Start(ctx, localredis.Options{Dir: filepath.Join(dir, "redis"), Logger: logger}); err != nil {
		return p, fmt.Errorf("start Redis: %w", err)
	}
	if p.db, err = pgxpool.New(ctx, p.postgres.URL()); err != nil {
		return p, fmt.Errorf("connect to Postgres: %w", err)
	}
	p.environ = append(os.Environ(),
		"DATABASE_URL="+p.postgres.URL(), "REDIS_URL="+p.redis.URL(), "INGEST_RATE_LIMIT=1000000000", "ADMIN_PASSWORD="+adminPassword)
	for _, args := range [][]string{{"migrate", "up"}, {"admin", "create", "--email", adminEmail}} {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "hp-analytics"), args...)
		cmd.Env = p.environ
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("hp-analytics %s: %w: %s", args[0], err, out)
		}
	}
	if err := p.start(ctx, "auth"); err != nil {
		return p, err
	}
	p.environ = append(p.environ, "JWKS_URL="+p.services["auth"].url+"/auth/.well-known/jwks.json")
	for _, name := range []string{"catalog", "ingest", "analytics", "aggregator"} {
		if err := p.start(ctx, name); err != nil {
			return p, err
		}
	}
	return p, p.fill(ctx)
}

// start starts a service, with NAME=value pairs over the configuration of all, and waits until it is ready.
func (p *platform) start(ctx context.Context, name string, environ ...string) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the service has its own descriptor
	s := &process{
		cmd: exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(p.bin, name)),
		url: "http://" + address, done: make(chan struct{}),
	}
	s.cmd.Env = append(append(slices.Clone(p.environ), "HTTP_ADDR="+address, "SHUTDOWN_DRAIN_DELAY=0s"), environ...)
	if p.profiles != "" {
		profiler, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		s.profiler = "http://" + profiler
		s.cmd.Env = append(s.cmd.Env, "PPROF_ADDR="+profiler)
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p.services[name] = s
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // a service that ends is seen by its silence
	}()
	return until(ctx, 30*time.Second, name+" is ready", func() (bool, error) {
		response, err := get(ctx, s.url+"/ready", "")
		return err == nil && response != nil, nil
	})
}

// freeAddress returns a loopback address on which nobody listens.
func freeAddress(ctx context.Context) (string, error) {
	port, err := localproc.FreePort(ctx)
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return "127.0.0.1:" + strconv.Itoa(port), nil
}

// halt stops a service.
func (p *platform) halt(name string) {
	s := p.services[name]
	if s == nil {
		return
	}
	delete(p.services, name)
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-s.done
}

// stop stops everything.
func (p *platform) stop() error {
	for name := range p.services {
		p.halt(name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var problems []error
	if p.db != nil {
		p.db.Close()
	}
	if p.redis != nil {
		problems = append(problems, p.redis.Stop(ctx))
	}
	if p.postgres != nil {
		problems = append(problems, p.postgres.Stop(ctx))
	}
	return errors.Join(problems...)
}

// fill makes the API key and the products.
func (p *platform) fill(ctx context.Context) error {
	var login struct {
		AccessToken string `json:"access_token"`
	}
	err := post(ctx, p.services["auth"].url+"/auth/login", "", `{"email":"`+adminEmail+`","password":"`+adminPassword+`"}`, &login)
	if err != nil {
		return err
	}
	var key struct {
		Key string `json:"key"`
	}
	if err := post(ctx, p.services["auth"].url+"/auth/api-keys", login.AccessToken, `{"name":"bench","scopes":["ingest","read"]}`, &key); err != nil {
		return err
	}
	p.key = key.Key
	var list []string
	for i := range products {
		list = append(list, fmt.Sprintf(`{"sku":"BENCH-%04d","name":"Product %d","price_minor":%d,"currency":"EUR"}`, i, i, 100+i))
	}
	if err := post(ctx, p.services["catalog"].url+"/products/bulk", login.AccessToken, `{"products":[`+strings.Join(list, ",")+`]}`, nil); err != nil {
		return err
	}
	rows, err := p.db.Query(ctx, `SELECT id::text FROM catalog.products ORDER BY sku`)
	if err != nil {
		return fmt.Errorf("read the products: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("read the products: %w", err)
		}
		p.products = append(p.products, id)
	}
	return rows.Err() //nolint:wrapcheck // of a query that has begun well
}

// pending returns how many rows are not folded yet.
func (p *platform) pending(ctx context.Context) (n int, err error) {
	err = p.db.QueryRow(ctx, `SELECT coalesce(sum(rows), 0) FROM ingest.batches WHERE aggregated_at IS NULL`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count pending rows: %w", err)
	}
	return n, nil
}

// until polls condition every 20 ms.
func until(ctx context.Context, patience time.Duration, what string, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", patience, what)
		}
	}
}

func get(ctx context.Context, url, token string) ([]byte, error) {
	return send(ctx, http.MethodGet, url, token, "")
}

func post(ctx context.Context, url, token, body string, into any) error {
	answer, err := send(ctx, http.MethodPost, url, token, body)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s answers %q: %w", url, answer, err)
	}
	return nil
}

func send(ctx context.Context, method, url, token, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s answers %s: %s", url, response.Status, answer)
	}
	return answer, nil
}
