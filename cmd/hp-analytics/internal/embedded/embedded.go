// Package embedded runs the private Postgres and Redis of a local or evaluation installation, in one data directory.
//
//	DATA_DIR/
//	  lock              held (flock) by the process that owns the directory
//	  postgres/ redis/  the data and passwords, or a pointer to it if the unprivileged user cannot enter this directory
//	  database-url      the URL of the database while the owner runs, for the other commands; mode 0600
//	  redis-url         the same of Redis
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/migrations"
)

// stopTimeout bounds the shutdown of each database. Postgres needs long if it has much to write.
const stopTimeout = 30 * time.Second

// Databases are the private servers of a data directory, which this process holds from Open to Stop.
type Databases struct {
	dir      string
	release  func() error
	postgres *localpg.Server
	redis    *localredis.Server
}

// Options say which servers to start.
type Options struct {
	Postgres bool
	Redis    bool
	Logger   *slog.Logger
}

// Open takes a data directory for this process and creates it if necessary. If another process holds it, the error is a
// *localproc.LockedError.
func Open(dir string) (*Databases, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the servers run as an unprivileged user, who has to enter it
		return nil, fmt.Errorf("data directory: %w", err)
	}
	release, err := localproc.Lock(dir)
	if err != nil {
		return nil, err
	}
	return &Databases{dir: dir, release: release}, nil
}

// Start starts the servers. Stop must be called even after an error.
func (d *Databases) Start(ctx context.Context, o Options) (err error) {
	if o.Postgres {
		d.postgres, err = localpg.Start(ctx, localpg.Options{
			Dir: filepath.Join(d.dir, "postgres"), Logger: o.Logger,
			// As on a server of one's own: whoever controls a service does not control the server.
			Owner: &localpg.Owner{Name: "hp_owner", Roles: migrations.Roles()},
		})
		if err != nil {
			return fmt.Errorf("private Postgres: %w", err)
		}
		if err := os.WriteFile(urlFile(d.dir, "database"), []byte(d.postgres.URL()), 0o600); err != nil {
			return fmt.Errorf("write the database URL: %w", err)
		}
	}
	if o.Redis {
		d.redis, err = localredis.Start(ctx, localredis.Options{Dir: filepath.Join(d.dir, "redis"), Logger: o.Logger})
		if err != nil {
			return fmt.Errorf("private Redis: %w", err)
		}
		if err := os.WriteFile(urlFile(d.dir, "redis"), []byte(d.redis.URL()), 0o600); err != nil {
			return fmt.Errorf("write the Redis URL: %w", err)
		}
	}
	return nil
}

// urlFile is the file that holds the URL of a server, "database" or "redis".
func urlFile(dir, server string) string { return filepath.Join(dir, server+"-url") }

// DatabaseURL returns the URL of the private Postgres, or "" if there is none.
func (d *Databases) DatabaseURL() string {
	if d.postgres == nil {
		return ""
	}
	return d.postgres.URL()
}

// RedisURL returns the URL of the private Redis, or "" if there is none.
func (d *Databases) RedisURL() string {
	if d.redis == nil {
		return ""
	}
	return d.redis.URL()
}

// Components returns the servers as lifecycle components. A component fails when its server exits unexpectedly, and stops
// the server when the process shuts down. After that Stop only releases the directory.
func (d *Databases) Components() []lifecycle.Component {
	var components []lifecycle.Component
	if d.postgres != nil {
		components = append(components, component("private Postgres", d.postgres))
	}
	if d.redis != nil {
		components = append(components, component("private Redis", d.redis))
	}
	return components
}

// server is the part that both servers have in common.
type server interface {
	Done() <-chan struct{}
	Err() error
	Stop(ctx context.Context) error
}

func component(name string, s server) lifecycle.Component {
	run := func(ctx context.Context, ready func()) error {
		ready()
		select {
		case <-s.Done():
			return fmt.Errorf("exited: %w", s.Err())
		case <-ctx.Done():
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			return s.Stop(stopCtx)
		}
	}
	return lifecycle.Component{Name: name, Run: run, StopTimeout: stopTimeout + 5*time.Second}
}

// Stop stops the servers that still run, in reverse order, and releases the directory. It may be called more than once.
func (d *Databases) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var problems []error
	if d.redis != nil {
		problems = append(problems, d.redis.Stop(ctx))
		_ = os.Remove(urlFile(d.dir, "redis"))
	}
	if d.postgres != nil {
		problems = append(problems, d.postgres.Stop(ctx))
		_ = os.Remove(urlFile(d.dir, "database")) // a leftover file does no harm: the lock tells whether the platform runs
	}
	return errors.Join(append(problems, d.release())...)
}
