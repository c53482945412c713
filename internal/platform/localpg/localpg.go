// Package localpg runs a private PostgreSQL from the installed programs: for a laptop, and for tests.
package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/localproc"
)

const (
	superuser = "postgres"
	database  = "hp_analytics"

	// fallbackRoot takes the data of root's installs below a directory that others cannot enter.
	fallbackRoot = "/var/lib/hp-analytics"
	// startTimeout bounds a start, crash recovery included.
	startTimeout = 2 * time.Minute
)

// Options say how a server is run.
type Options struct {
	Dir      string            // holds the data, the log and the password
	Port     int               // on 127.0.0.1; 0 takes a free one
	Settings map[string]string // postgresql.conf settings over the defaults, which are durable
	Logger   *slog.Logger
}

// defaults are the settings that differ from PostgreSQL's own. Durability (fsync, synchronous_commit, full_page_writes)
// is left on, as it is by default.
var defaults = map[string]string{ //nolint:gosec // no credentials: password_encryption is the name of a method
	"listen_addresses":         "127.0.0.1",
	"unix_socket_directories":  "",
	"shared_buffers":           "256MB",
	"max_wal_size":             "4GB",
	"checkpoint_timeout":       "15min",
	"wal_compression":          "on",
	"jit":                      "off", // compiling costs more than our short statements take
	"max_connections":          "200",
	"log_destination":          "stderr",
	"logging_collector":        "off",
	"log_line_prefix":          "%m [%p] %q%a ",
	"log_checkpoints":          "off",
	"cluster_name":             "hp-analytics",
	"password_encryption":      "scram-sha-256",
	"timezone":                 "UTC",
	"log_timezone":             "UTC",
	"track_io_timing":          "on",
	"idle_session_timeout":     "0",
	"autovacuum_naptime":       "15s",
	"checkpoint_flush_after":   "256kB",
	"max_parallel_workers":     "2",
	"shared_preload_libraries": "",
}

// Server is a running PostgreSQL.
type Server struct {
	process  *localproc.Process
	port     int
	password string
}

// Start starts the server of o.Dir, making the cluster first if there is none, and returns when it accepts connections.
// A server that an earlier process left behind in the same directory is stopped first.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	bin, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	home, err := id.MakeDir(o.Dir, filepath.Join(fallbackRoot, "postgres"))
	if err != nil {
		return nil, err
	}
	c := cluster{bin: bin, id: id, home: home, logger: o.Logger}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	return c.start(ctx, o)
}

// cluster is a data directory and the programs that work on it.
type cluster struct {
	bin    programs
	id     localproc.Identity
	home   string // belongs to the unprivileged user: data/, password, log
	logger *slog.Logger
}

func (c cluster) data() string         { return filepath.Join(c.home, "pgdata") }
func (c cluster) passwordFile() string { return filepath.Join(c.home, "password") }
func (c cluster) logFile() string      { return filepath.Join(c.home, "postgres.log") }

// prepare leaves a complete cluster that no server is using.
func (c cluster) prepare(ctx context.Context) error {
	if _, err := os.Stat(c.data()); errors.Is(err, os.ErrNotExist) {
		return c.initdb(ctx)
	}
	version, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("%s holds no PostgreSQL data: %w", c.data(), err)
	}
	if have := strings.TrimSpace(string(version)); have != c.bin.major {
		return fmt.Errorf("the data in %s were written by PostgreSQL %s, but the installed programs in %s are version %s: "+
			"install PostgreSQL %s and set PG_BIN to its programs, or choose another DATA_DIR", c.home, have, c.bin.dir, c.bin.major, have)
	}
	pidFile := filepath.Join(c.data(), "postmaster.pid")
	return localproc.StopLeftover(ctx, c.logger, pidFile, c.data(), syscall.SIGINT, syscall.SIGQUIT)
}

// initdb makes the cluster. It is made under another name first, so that an interrupted one is never taken for whole.
func (c cluster) initdb(ctx context.Context) error {
	half := c.data() + ".half"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("remove a half-made cluster: %w", err)
	}
	if err := c.id.WriteFile(c.passwordFile(), []byte(rand.Text())); err != nil {
		return fmt.Errorf("make the database password: %w", err)
	}
	err := c.id.Run(ctx, c.home, filepath.Join(c.bin.dir, "initdb"),
		"--pgdata", half, "--username", superuser, "--pwfile", c.passwordFile(), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums", "--no-instructions")
	if err != nil {
		return fmt.Errorf("make the database cluster: %w", err)
	}
	if err := os.Rename(half, c.data()); err != nil {
		return fmt.Errorf("make the database cluster: %w", err)
	}
	return nil
}

// start starts the server. A free port can be lost before it is bound; then another one is tried.
func (c cluster) start(ctx context.Context, o Options) (*Server, error) {
	password, err := os.ReadFile(c.passwordFile())
	if err != nil {
		return nil, fmt.Errorf("read the database password: %w", err)
	}
	for attempt := 1; ; attempt++ {
		s := &Server{port: o.Port, password: string(password)}
		if s.port == 0 {
			if s.port, err = localproc.FreePort(ctx); err != nil {
				return nil, err
			}
		}
		s.process, err = c.id.Start(localproc.Command{
			Program: filepath.Join(c.bin.dir, "postgres"),
			Args:    append([]string{"-D", c.data(), "-p", strconv.Itoa(s.port)}, settings(o.Settings)...),
			Dir:     c.home,
			Log:     c.logFile(),
			OnDeath: syscall.SIGINT, // a fast shutdown
		})
		if err != nil {
			return nil, err
		}
		err := s.awaitReady(ctx)
		if err == nil {
			return s, nil
		}
		portLost := strings.Contains(s.process.LogTail(), "Address already in use")
		err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		if o.Port != 0 || !portLost || attempt == 3 {
			return nil, err
		}
	}
}

// settings turns the defaults and the caller's settings into arguments.
func settings(own map[string]string) []string {
	var args []string
	for name, value := range defaults {
		if _, replaced := own[name]; !replaced {
			args = append(args, "-c", name+"="+value)
		}
	}
	for name, value := range own {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// awaitReady waits until the server accepts connections, and makes the database if it is new.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		err := s.makeDatabase(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return s.process.Err()
		default:
		}
		if waitErr := localproc.Pause(ctx, 25*time.Millisecond); waitErr != nil {
			return fmt.Errorf("the database is not ready: %w; the log ends with:\n%s", err, s.process.LogTail())
		}
	}
}

func (s *Server) makeDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.urlOf("postgres"))
	if err != nil {
		return err //nolint:wrapcheck // only the last of many is shown
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	}
	return err //nolint:wrapcheck // only the last of many is shown
}

// URL returns the connection URL of the platform's database, password included.
func (s *Server) URL() string { return s.urlOf(database) }

func (s *Server) urlOf(name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port returns the server's port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// PID returns the process id of the postmaster.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when the server has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err returns how the server ended. It is valid after Done.
func (s *Server) Err() error { return s.process.Err() }

// Stop shuts the server down: fast (open transactions are rolled back), then at once (recovery at the next start), then
// by force, as the time that ctx leaves runs out. Stopping twice is no error.
func (s *Server) Stop(ctx context.Context) error {
	return s.process.Stop(ctx, syscall.SIGINT, syscall.SIGQUIT)
}

// Kill ends the server as a crash would. The next start recovers.
func (s *Server) Kill() error {
	err := s.process.Signal(os.Kill)
	<-s.process.Done()
	return err
}
