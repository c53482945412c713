// Package postgres opens connection pools, runs transactions and classifies Postgres errors. Only this package and the stores
// look at SQLSTATE codes.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// Config describes the database of a service and the limits of its connections.
type Config struct {
	// URL is the connection URL. Each service switches to its own role on connecting, so all services may share one login.
	URL config.URL `env:"DATABASE_URL, required"`
	// MaxConns limits the connections of one process. The sum over all replicas must stay below max_connections.
	MaxConns int32 `env:"DATABASE_MAX_CONNS, default=10"`
	// ConnectTimeout limits one attempt to connect. It determines how soon a request fails when Postgres is down.
	ConnectTimeout time.Duration `env:"DATABASE_CONNECT_TIMEOUT, default=3s"`
	// StatementTimeout is the limit after which Postgres cancels a statement; 0 means no limit.
	StatementTimeout time.Duration `env:"DATABASE_STATEMENT_TIMEOUT, default=15s"`
	// IdleTransactionTimeout is the limit after which Postgres ends a session that does nothing inside a transaction, because
	// its process is frozen or its node is gone. Until then others wait for its locks. 0 means no limit.
	IdleTransactionTimeout time.Duration `env:"DATABASE_IDLE_TRANSACTION_TIMEOUT, default=10s"`
	// ReadsOnly is set by a service that writes nothing: it also accepts a primary that refuses writes. It is no setting.
	ReadsOnly bool
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.URL != "" {
		if err := CheckURL(c.URL); err != nil {
			problems = append(problems, fmt.Errorf("DATABASE_URL: %w", err))
		}
	}
	if c.MaxConns < 2 {
		problems = append(problems, fmt.Errorf("DATABASE_MAX_CONNS: must be at least 2, not %d", c.MaxConns))
	}
	if c.ConnectTimeout <= 0 {
		problems = append(problems, fmt.Errorf("DATABASE_CONNECT_TIMEOUT: must be positive, not %s", c.ConnectTimeout))
	}
	if c.StatementTimeout < 0 {
		problems = append(problems, fmt.Errorf("DATABASE_STATEMENT_TIMEOUT: must not be negative, not %s", c.StatementTimeout))
	}
	if c.IdleTransactionTimeout < 0 {
		problems = append(problems, fmt.Errorf("DATABASE_IDLE_TRANSACTION_TIMEOUT: must not be negative, not %s", c.IdleTransactionTimeout))
	}
	return errors.Join(problems...)
}

// CheckURL returns an error unless u is the URL of a Postgres. The error contains nothing of the URL.
func CheckURL(u config.URL) error {
	if !strings.HasPrefix(string(u), "postgres://") && !strings.HasPrefix(string(u), "postgresql://") {
		return errors.New("must begin with postgres://")
	}
	if err := u.Ambiguous(); err != nil {
		return err
	}
	if _, err := pgx.ParseConfig(string(u)); err != nil {
		return errors.New("is no valid Postgres URL (postgres://user:password@host:5432/database); " +
			"write special characters of the password percent-encoded, such as % as %25 and a space as %20")
	}
	return nil
}

// Setting is a server setting for every connection of a pool.
type Setting struct{ Name, Value string }

// goneClient makes the server notice within half a minute that the node of a client is gone: 10 s + 3 · 5 s without a sign of life
// from an idle one, 20 s without an acknowledgment of what it was sent. The defaults of most systems are 2 hours and 15 minutes.
var goneClient = []Setting{
	{Name: "tcp_keepalives_idle", Value: "10"},
	{Name: "tcp_keepalives_interval", Value: "5"},
	{Name: "tcp_keepalives_count", Value: "3"},
	{Name: "tcp_user_timeout", Value: "20000"},
}

// dialer is the same for the other direction: a connection to a server that is gone fails, also under a command without a
// deadline of its own.
var dialer = &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}

// settings returns the settings of every session, and those of the service after them.
func (c *Config) settings(service []Setting) []Setting {
	all := append([]Setting{{Name: "timezone", Value: "UTC"}}, goneClient...)
	for name, timeout := range map[string]time.Duration{
		"statement_timeout": c.StatementTimeout, "idle_in_transaction_session_timeout": c.IdleTransactionTimeout,
	} {
		if timeout > 0 {
			all = append(all, Setting{Name: name, Value: strconv.FormatInt(timeout.Milliseconds(), 10)})
		}
	}
	return append(all, service...)
}

// Open returns a pool whose connections act as role. It does not connect, because a service may start before its database;
// /ready reports when the database answers. It leaves servers that refuse writes (see acceptSessions), and refuses poolers
// that share sessions (see RequireSession). tracing may be nil.
func Open(ctx context.Context, cfg Config, role, application string, tracing trace.TracerProvider, settings ...Setting) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(string(cfg.URL))
	if err != nil {
		return nil, errors.New("parse DATABASE_URL: not a valid Postgres URL") // pgx's error contains parts of the URL
	}
	pc.MaxConns = cfg.MaxConns
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 5 * time.Minute
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.HealthCheckPeriod = 15 * time.Second
	pc.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	pc.ConnConfig.DialFunc = dialer.DialContext
	acceptSessions(cfg, &pc.ConnConfig.Config)
	sessionSettings := cfg.settings(settings)
	pc.ConnConfig.RuntimeParams["application_name"] = application
	for _, s := range append(sessionSettings, Setting{Name: "role"}) {
		delete(pc.ConnConfig.RuntimeParams, s.Name) // what the URL says is replaced
	}
	var owned atomic.Bool // a pooler, if there is one, gives each connection a session of its own
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
		defer cancel()
		if !owned.Load() {
			if err := RequireSession(ctx, conn); err != nil {
				return err
			}
			owned.Store(true)
		}
		return begin(ctx, conn, role, sessionSettings)
	}
	if tracing != nil {
		pc.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(tracing))
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the connection pool: %w", err)
	}
	return pool, nil
}

// Beginner starts transactions. *pgxpool.Pool and *pgx.Conn implement it.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// InTx runs fn in a transaction. It commits when fn returns nil, and rolls back otherwise, also on a panic. If COMMIT itself
// fails, the transaction may or may not have taken effect, so the caller's retry must be idempotent.
func InTx(ctx context.Context, db Beginner, options pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db, options, fn)
}

// InSavepoint runs fn in a savepoint of tx. An error of fn undoes what fn did and leaves tx usable.
func InSavepoint(ctx context.Context, tx pgx.Tx, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, tx, fn)
}
