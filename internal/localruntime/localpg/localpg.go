// Package localpg runs a private PostgreSQL server from the installed programs, for a laptop and for tests.
package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

const (
	superuser = "postgres"
	database  = "hp_analytics"

	// startTimeout limits a start, including crash recovery.
	startTimeout = 2 * time.Minute
	// startTries limits the attempts with another free port when a port is taken before the server binds it.
	startTries = 3

	// invalidPassword is the SQLSTATE of a rejected password.
	invalidPassword = "28P01"
)

// Options configure a server.
type Options struct {
	Dir      string            // holds the data, the log and the password
	Port     int               // on 127.0.0.1; 0 chooses a free port
	Settings map[string]string // postgresql.conf settings that override the defaults, which are durable
	Logger   *slog.Logger
	Fallback string // used when the server's user cannot access Dir; empty means localproc.Fallback
	Owner    *Owner // owns the database, and URL names it; nil leaves both to the superuser
}

// defaults are the settings that differ from PostgreSQL's own. Durability (fsync, synchronous_commit, full_page_writes)
// keeps PostgreSQL's defaults, which are on.
var defaults = map[string]string{
	"listen_addresses":         "127.0.0.1",
	"unix_socket_directories":  "",
	"shared_buffers":           "256MB",
	"max_wal_size":             "4GB",
	"checkpoint_timeout":       "15min",
	"wal_compression":          "on",
	"jit":                      "off", // compiling takes longer than running our short statements
	"max_connections":          "200",
	"log_destination":          "stderr",
	"logging_collector":        "off",
	"log_line_prefix":          "%m [%p] %q%a ",
	"log_checkpoints":          "off",
	"cluster_name":             "hp-analytics",
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
	cluster  cluster
	port     int
	password string // of the superuser
	owner    *Owner // nil if there is none
	ownerKey string // the owner's password
}

// Start starts the server of o.Dir and returns when it accepts connections. It creates the cluster if there is none, and first
// stops a server that an earlier process left running in the same directory. If another process runs a server there, the
// error is a *localproc.LockedError.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	installed, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	home, err := id.Home(ctx, o.Dir, cmp.Or(o.Fallback, localproc.Fallback), installed[0].path("postgres"))
	if err != nil {
		return nil, err
	}
	c := cluster{bin: choose(installed, writtenBy(home)), id: id, home: home, logger: o.Logger}
	for try := 1; ; try++ {
		s, err := c.start(ctx, o)
		if err == nil || o.Port != 0 || try == startTries || !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
}

// start makes one attempt to start the server.
func (c cluster) start(ctx context.Context, o Options) (*Server, error) {
	release, err := localproc.Lock(string(c.home))
	if err != nil {
		return nil, err
	}
	s := &Server{cluster: c, port: o.Port, owner: o.Owner}
	if s.password, err = c.prepare(ctx, o.Settings["fsync"] != "off"); err != nil {
		return nil, errors.Join(err, release())
	}
	if s.owner != nil {
		if s.ownerKey, err = c.ownerPassword(); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	if s.port == 0 {
		if s.port, err = localproc.FreePort(ctx); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	s.process, err = c.id.Start(ctx, localproc.Command{
		Home:    c.home,
		Program: c.bin.path("postgres"),
		Args:    append([]string{"-D", c.home.Data(), "-p", strconv.Itoa(s.port)}, arguments(o.Settings)...),
		Log:     "postgres.log",
		OnDeath: syscall.SIGINT, // a fast shutdown
		Release: release,
	})
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(explain(err, s.process.LogTail()), s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// arguments returns the defaults and the caller's settings as command-line arguments.
func arguments(own map[string]string) []string {
	settings := maps.Clone(defaults)
	maps.Copy(settings, own)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// awaitReady waits until the server accepts connections, and creates the database if it does not exist.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		err := s.makeDatabase(ctx)
		if err == nil {
			return nil
		}
		if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.Code == invalidPassword {
			return fmt.Errorf("the password in %s does not match the data directory: %w", s.cluster.passwordFile(), err)
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
	conn, err := pgx.Connect(ctx, s.urlOf("postgres", superuser, s.password))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // all results were read
	owner := superuser
	if s.owner != nil {
		if err := s.owner.ensure(ctx, conn, s.ownerKey); err != nil {
			return err
		}
		owner = s.owner.Name
	}
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+database+" OWNER "+owner)
	}
	return err
}

// errPortTaken means that another program listens on the server's port.
var errPortTaken = errors.New("the port is taken by another program")

// explain adds the likely cause of a failed start, derived from the log.
func explain(err error, log string) error {
	switch {
	case strings.Contains(log, "Address already in use"):
		return fmt.Errorf("%w: %w", errPortTaken, err)
	case strings.Contains(log, "No space left on device"):
		return fmt.Errorf("the disk is full: %w", err)
	case strings.Contains(log, "Cannot allocate memory"):
		return fmt.Errorf("there is not enough memory for shared_buffers: %w", err)
	default:
		return err
	}
}

// URL returns the connection URL of the platform's database, including the password: of Options.Owner, or else of the superuser.
func (s *Server) URL() string {
	if s.owner != nil {
		return s.urlOf(database, s.owner.Name, s.ownerKey)
	}
	return s.urlOf(database, superuser, s.password)
}

func (s *Server) urlOf(name, login, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port returns the server's port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// PID returns the process id of the postmaster.
func (s *Server) PID() int { return s.process.PID() }

// Dir returns the home of the server: Options.Dir, or the fallback that replaces it.
func (s *Server) Dir() string { return string(s.cluster.home) }

// Version returns the version of PostgreSQL.
func (s *Server) Version() string { return s.cluster.bin.version }

// Done is closed when the server has exited, whether it was stopped or crashed.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err describes how the server exited. It is valid after Done.
func (s *Server) Err() error { return s.process.Err() }

// Stop shuts the server down. It escalates as the deadline of ctx approaches: a fast shutdown (open transactions are rolled
// back), an immediate shutdown (the next start recovers), SIGKILL. Stopping twice is not an error.
func (s *Server) Stop(ctx context.Context) error {
	return s.process.Stop(ctx, syscall.SIGINT, syscall.SIGQUIT)
}

// Kill kills the server, as a crash would. The next start recovers.
func (s *Server) Kill() error { return s.process.Kill() }
