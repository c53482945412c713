// Package localredis runs a private Redis from the installed redis-server: for a laptop, and for tests.
package localredis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/localproc"
)

const (
	// fallbackRoot takes the data of root's installs below a directory that others cannot enter.
	fallbackRoot = "/var/lib/hp-analytics"
	startTimeout = 30 * time.Second
	// pidFile is in the data directory.
	pidFile = "redis.pid"
)

// ErrMissing says that Redis is not installed. Its text says what to do.
var ErrMissing = errors.New("Redis 7 or newer is not installed here: install it (Debian, Ubuntu: apt-get install redis-server), " + //nolint:staticcheck // a name
	"or set REDIS_URL to a Redis of your own")

// Options say how a server is run.
type Options struct {
	Dir      string // holds the data, the configuration and the log
	Port     int    // on 127.0.0.1; 0 takes a free one
	Password string // empty makes a new one at each start
	Logger   *slog.Logger
}

// Server is a running Redis.
type Server struct {
	process  *localproc.Process
	port     int
	password string
}

// Start starts the server of o.Dir and returns when it answers. Data that Redis cannot load are set aside: nothing in
// Redis is worth not starting for.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	id, err := localproc.Unprivileged("redis", "postgres")
	if err != nil {
		return nil, err
	}
	home, err := id.MakeDir(o.Dir, filepath.Join(fallbackRoot, "redis"))
	if err != nil {
		return nil, err
	}
	if err := localproc.StopLeftover(ctx, o.Logger, filepath.Join(home, pidFile), home, syscall.SIGTERM); err != nil {
		return nil, err
	}
	s, err := start(ctx, id, program, home, o)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	o.Logger.WarnContext(ctx, "Redis does not start; starting it again without its data", "err", err)
	aside := filepath.Join(home, "appendonlydir")
	if err := errors.Join(os.RemoveAll(aside+".unreadable"), os.Rename(aside, aside+".unreadable")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("set Redis data aside: %w", err)
	}
	return start(ctx, id, program, home, o)
}

// configuration is written to a file, because arguments are visible to every user of the machine.
func configuration(home string, port int, password string) string {
	return strings.Join([]string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(port),
		"requirepass " + password,
		"dir " + strconv.Quote(home),
		"daemonize no",
		"pidfile " + strconv.Quote(filepath.Join(home, pidFile)),
		"databases 256",
		"save \"\"",
		"appendonly yes",
		"appendfsync everysec",
		"aof-load-truncated yes",         // a torn tail after a crash is normal
		"maxmemory-policy noeviction",    // Asynq's keys must not be evicted under it
		"stop-writes-on-bgsave-error no", // there is nothing to protect
		"",
	}, "\n")
}

func start(ctx context.Context, id localproc.Identity, program, home string, o Options) (*Server, error) {
	s := &Server{port: o.Port, password: cmp.Or(o.Password, rand.Text())}
	if s.port == 0 {
		port, err := localproc.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		s.port = port
	}
	file := filepath.Join(home, "redis.conf")
	if err := id.WriteFile(file, []byte(configuration(home, s.port, s.password))); err != nil {
		return nil, fmt.Errorf("write the Redis configuration: %w", err)
	}
	process, err := id.Start(localproc.Command{
		Program: program, Args: []string{file}, Dir: home, Log: filepath.Join(home, "redis.log"), OnDeath: syscall.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	s.process = process
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// awaitReady waits until the server answers and has loaded its data.
func (s *Server) awaitReady(ctx context.Context) error {
	options, err := redis.ParseURL(s.URL())
	if err != nil {
		return fmt.Errorf("parse our own URL: %w", err)
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // nothing was written
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return s.process.Err()
		case <-ctx.Done():
			return fmt.Errorf("Redis is not ready: %w; the log ends with:\n%s", err, s.process.LogTail()) //nolint:staticcheck // a name
		case <-tick.C:
		}
	}
}

// URL returns the connection URL of database 0, password included.
func (s *Server) URL() string {
	return "redis://:" + s.password + "@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) + "/0"
}

// Port returns the server's port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Password returns what clients must send.
func (s *Server) Password() string { return s.password }

// PID returns the process id of the server.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when the server has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err returns how the server ended. It is valid after Done.
func (s *Server) Err() error { return s.process.Err() }

// Stop shuts the server down. Stopping twice is no error.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx, syscall.SIGTERM) }

// Kill ends the server as a crash would.
func (s *Server) Kill() error {
	err := s.process.Signal(os.Kill)
	<-s.process.Done()
	return err
}

// Signal sends a signal, such as SIGSTOP and SIGCONT in fault tests.
func (s *Server) Signal(signal os.Signal) error { return s.process.Signal(signal) }
