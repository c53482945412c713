package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// application names the session in pg_stat_activity.
const application = "hp-analytics migrate"

// ownSession replaces every setting that the URL, the environment, the login or the database may have given the session and
// that changes what a migration does. A setting that this version of Postgres does not have is left out. The last four make
// Postgres notice within seconds that the client is gone, roll back, and release the lock of the migration.
const ownSession = `
	SET statement_timeout = 0;
	SELECT set_config(name, value, false) FROM (VALUES
		('role', 'none'),
		('search_path', 'public'),
		('transaction_timeout', '0'),
		('idle_in_transaction_session_timeout', '0'),
		('default_transaction_read_only', 'off'),
		('default_transaction_isolation', 'read committed'),
		('default_tablespace', ''),
		('synchronous_commit', 'on'),
		('standard_conforming_strings', 'on'),
		('TimeZone', 'UTC'),
		('DateStyle', 'ISO, YMD'),
		('client_connection_check_interval', '2s'),
		('tcp_keepalives_idle', '10'),
		('tcp_keepalives_interval', '5'),
		('tcp_keepalives_count', '3')
	) AS own (name, value)
	WHERE current_setting(name, true) IS NOT NULL`

// connectPause is the time between two attempts to connect, connectTimeout the limit of one.
const connectPause, connectTimeout = time.Second, 5 * time.Second

// connect opens a session whose settings are those of ownSession, whatever the URL says.
func connect(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	if err := postgres.CheckURL(config.URL(databaseURL)); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("DATABASE_URL: is no valid Postgres URL") // the text of err may show the password
	}
	params := map[string]string{"application_name": application}
	if options, set := cfg.RuntimeParams["options"]; set { // some hosted databases route by it
		params["options"] = options
	}
	cfg.RuntimeParams = params
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // tables change under a cached statement
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// The lock of migrations belongs to the session.
	if err := postgres.RequireSession(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	if _, err := conn.PgConn().Exec(ctx, ownSession).ReadAll(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the session: %w", err), conn.Close(ctx))
	}
	return conn, nil
}

// Await returns when the database accepts a connection. After timeout it returns the error of the last attempt. A database that
// starts together with its migration, as in a cluster, refuses connections, has no DNS name yet, or is starting up.
func Await(ctx context.Context, databaseURL string, logger *slog.Logger, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deadline, _ := ctx.Deadline() // set above
	var last error                // of an attempt that the deadline did not cut short
	for {
		conn, err := connect(ctx, databaseURL)
		if err == nil {
			return conn.Close(ctx)
		}
		if last == nil || time.Now().Before(deadline) {
			last = err
		}
		logger.InfoContext(ctx, "the database does not accept connections yet", "err", err)
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return fmt.Errorf("wait %s for the database: %w", timeout, last)
		}
	}
}
