// Package localredis runs a private Redis from the installed redis-server: for a laptop, and for tests.
package localredis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

const (
	startTimeout = 30 * time.Second
	// startTries limits the attempts with another free port when a port is taken before the server binds it.
	startTries = 3
)

// Options configure a server.
type Options struct {
	Dir      string // holds the data, the configuration and the log
	Port     int    // on 127.0.0.1; 0 chooses a free port
	Password string // empty generates a new one at each start
	Logger   *slog.Logger
	Fallback string // used when the server's user cannot access Dir; empty means localproc.Fallback
}

// Server is a running Redis.
type Server struct {
	process  *localproc.Process
	install  install
	port     int
	password string
}

// Start starts the server of o.Dir and returns when it answers. It first stops a server that an earlier process left running in
// the same directory. If another process runs a server there, the error is a *localproc.LockedError. Data that Redis cannot
// load is moved aside, because everything in Redis can be lost.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	program, version, err := findProgram(ctx)
	if err != nil {
		return nil, err
	}
	id, err := localproc.Unprivileged("redis", "postgres")
	if err != nil {
		return nil, err
	}
	home, err := id.Home(ctx, o.Dir, cmp.Or(o.Fallback, localproc.Fallback), program)
	if err != nil {
		return nil, err
	}
	i := install{program: program, version: version, id: id, home: home, logger: o.Logger}
	for try := 1; ; try++ {
		s, err := i.start(ctx, o)
		if err == nil || try == startTries || ctx.Err() != nil {
			return s, err
		}
		switch {
		case errors.Is(err, errPortTaken) && o.Port == 0:
		case errors.Is(err, errUnreadable):
			o.Logger.WarnContext(ctx, "Redis cannot load its data; starting without it", "err", err)
			if err := i.setDataAside(); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

// install is the home of a server and the program that runs it.
type install struct {
	program string
	version string
	id      localproc.Identity
	home    localproc.Home
	logger  *slog.Logger
}

// start makes one attempt to start the server.
func (i install) start(ctx context.Context, o Options) (*Server, error) {
	release, err := localproc.Lock(string(i.home))
	if err != nil {
		return nil, err
	}
	s := &Server{install: i, port: o.Port, password: cmp.Or(o.Password, rand.Text())}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, release())
	}
	s.process, err = i.id.Start(ctx, localproc.Command{
		Home: i.home, Program: i.program, Args: []string{i.home.File(configName)},
		Log: "redis.log", OnDeath: syscall.SIGTERM, Release: release,
	})
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// prepare ensures that no server uses the data directory, and writes the configuration. The caller must have locked the home.
func (s *Server) prepare(ctx context.Context) error {
	i := s.install
	if err := localproc.StopLeftover(ctx, i.logger, i.home, "redis-server", syscall.SIGTERM); err != nil {
		return err
	}
	if err := i.id.MakeData(i.home); err != nil {
		return err
	}
	if s.port == 0 {
		port, err := localproc.FreePort(ctx)
		if err != nil {
			return err
		}
		s.port = port
	}
	if err := i.id.WriteFile(i.home.File(configName), []byte(configuration(i.home.Data(), s.port, s.password))); err != nil {
		return fmt.Errorf("write the Redis configuration: %w", err)
	}
	return nil
}

const configName = "redis.conf"

// configuration returns the content of the configuration file. The password is not an argument, because every user of the
// machine can read those.
func configuration(data string, port int, password string) string {
	return strings.Join([]string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(port),
		"requirepass " + password,
		"dir " + strconv.Quote(data),
		"daemonize no",
		"databases 256",
		"save \"\"",
		"appendonly yes",
		"appendfsync everysec",
		"aof-load-truncated yes",         // a truncated tail after a crash is normal
		"maxmemory 512mb",                // or the operating system ends it when the machine's memory is used up
		"maxmemory-policy noeviction",    // Asynq's keys must not be evicted
		"stop-writes-on-bgsave-error no", // everything in Redis can be lost
		"",
	}, "\n")
}

// setDataAside moves the data away for a fresh start. Only the most recent unreadable data is kept.
func (i install) setDataAside() error {
	aside := i.home.File("unreadable")
	err := errors.Join(os.RemoveAll(aside), os.Rename(i.home.Data(), aside))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move unreadable Redis data aside: %w", err)
	}
	return nil
}

var (
	// errPortTaken means that another program listens on the server's port.
	errPortTaken = errors.New("the port is taken by another program")
	// errUnreadable means that Redis exited while loading its data.
	errUnreadable = errors.New("the data cannot be loaded")
)

// exit explains why the server exited before it was ready.
func (s *Server) exit() error {
	err, log := s.process.Err(), s.process.LogTail()
	switch {
	case strings.Contains(log, "Address already in use"):
		return fmt.Errorf("%w: %w", errPortTaken, err)
	case strings.Contains(log, "Server initialized"): // the next step is loading
		return fmt.Errorf("%w: %w", errUnreadable, err)
	default:
		return err
	}
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
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return s.exit()
		default:
		}
		if waitErr := localproc.Pause(ctx, 10*time.Millisecond); waitErr != nil {
			return fmt.Errorf("Redis is not ready: %w; the log ends with:\n%s", err, s.process.LogTail()) //nolint:staticcheck // a name
		}
	}
}

// URL returns the connection URL of database 0, including the password.
func (s *Server) URL() string {
	return "redis://:" + s.password + "@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) + "/0"
}

// Port returns the server's port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Password returns the password for clients.
func (s *Server) Password() string { return s.password }

// PID returns the process id of the server.
func (s *Server) PID() int { return s.process.PID() }

// Dir returns the home of the server: Options.Dir, or the fallback that replaces it.
func (s *Server) Dir() string { return string(s.install.home) }

// Version returns the version of Redis.
func (s *Server) Version() string { return s.install.version }

// Done is closed when the server has exited, whether it was stopped or crashed.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err describes how the server exited. It is valid after Done.
func (s *Server) Err() error { return s.process.Err() }

// Stop shuts the server down. Stopping twice is not an error.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx, syscall.SIGTERM) }

// Kill kills the server, as a crash would.
func (s *Server) Kill() error { return s.process.Kill() }

// Signal sends a signal, such as SIGSTOP and SIGCONT in fault tests.
func (s *Server) Signal(signal os.Signal) error { return s.process.Signal(signal) }
