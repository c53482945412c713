package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

const (
	adminEmail    = "bench@example.com"
	adminPassword = "correct horse battery"
	products      = 1000
	users         = 1000
)

// platform is the system under test: every service a process.
type platform struct {
	databases
	bin      string
	profiles string // where CPU profiles go, if anywhere
	services map[string]*service
	environ  []string
	key      string   // an API key that may ingest and read
	products []string // ids
}

// service is a running service.
type service struct {
	*process.Process
	url      string
	profiler string // URL of its profiles, if they are served
}

// startPlatform starts everything and fills the catalog. After an error as well stop must be called.
func startPlatform(ctx context.Context, o options) (p *platform, err error) {
	p = &platform{bin: o.bin, profiles: o.profiles, services: map[string]*service{}}
	if p.databases, err = startDatabases(ctx, filepath.Join(o.dir, "platform")); err != nil {
		return p, err
	}
	p.environ = append(os.Environ(),
		"DATABASE_URL="+p.postgres.URL(), "REDIS_URL="+p.redis.URL(), "INGEST_RATE_LIMIT=1000000000", "ADMIN_PASSWORD="+adminPassword)
	for _, args := range [][]string{{"migrate", "up"}, {"admin", "create", "--email", adminEmail}} {
		if _, err := p.command(ctx, args...); err != nil {
			return p, err
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

// command runs the all-in-one program for one of its commands and returns what that says.
func (p *platform) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "hp-analytics"), args...)
	cmd.Env = p.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("hp-analytics %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// start starts a service, with NAME=value pairs over the configuration of all, and waits until it is ready.
func (p *platform) start(ctx context.Context, name string, environ ...string) error {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return err
	}
	s := &service{url: "http://" + address}
	environ = append(append(slices.Clone(p.environ), "HTTP_ADDR="+address, "SHUTDOWN_DRAIN_DELAY=0s"), environ...)
	if p.profiles != "" {
		profiler, err := process.FreeAddress(ctx)
		if err != nil {
			return err
		}
		s.profiler = "http://" + profiler
		environ = append(environ, "PPROF_ADDR="+profiler)
	}
	s.Process, err = process.Start(process.Command{Program: filepath.Join(p.bin, name), Environ: environ, Log: filepath.Join(p.dir, name+".log")})
	if err != nil {
		return err
	}
	p.services[name] = s
	return untilAnswered(ctx, s.Process, s.url+"/ready")
}

// startAggregator starts the aggregator with a number of workers and connections for them.
func (p *platform) startAggregator(ctx context.Context, workers int) error {
	return p.start(ctx, "aggregator", fmt.Sprintf("AGGREGATOR_CONCURRENCY=%d", workers), fmt.Sprintf("DATABASE_MAX_CONNS=%d", workers+8))
}

// halt stops a service, if it runs.
func (p *platform) halt(name string) {
	if s := p.services[name]; s != nil {
		delete(p.services, name)
		s.Stop()
	}
}

// stop stops everything.
func (p *platform) stop() error {
	for name := range p.services {
		p.halt(name)
	}
	return p.databases.stop()
}

// subject returns what is counted when the platform is measured.
func (p *platform) subject() subject {
	pids := map[string][]int{}
	for name, s := range p.services {
		column := "others"
		switch name {
		case "ingest":
			column = "service"
		case "aggregator":
			column = "worker"
		}
		pids[column] = append(pids[column], s.PID())
	}
	return p.databases.subject(pids, p.services["ingest"].PID())
}

// settle waits until everything is folded.
func (p *platform) settle(ctx context.Context) error {
	return until(ctx, 5*time.Minute, "everything is folded", func() (bool, error) {
		var pending bool
		err := p.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ingest.batches WHERE aggregated_at IS NULL)`).Scan(&pending)
		return !pending, err
	})
}

var errEnded = errors.New("it has ended; see its log")

// untilAnswered waits until a process answers a GET with success.
func untilAnswered(ctx context.Context, p *process.Process, url string) error {
	return until(ctx, 30*time.Second, url+" answers", func() (bool, error) {
		select {
		case <-p.Done():
			return false, errEnded
		default:
		}
		_, err := get(ctx, url, "")
		return err == nil, nil
	})
}
