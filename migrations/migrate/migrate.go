// Package migrate applies the migrations with golang-migrate.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5" // registers the scheme pgx5
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations"
)

// lockTimeout bounds the wait for another process that migrates the same database.
const lockTimeout = 5 * time.Minute

// Status describes the schema of a database.
type Status struct {
	Version uint // of the last migration begun; 0 for none
	Dirty   bool // that migration did not finish
	Latest  uint // the newest migration of this build
	Pending []string
}

// String returns the status as shown to people.
func (s Status) String() string {
	switch {
	case s.Dirty:
		return fmt.Sprintf("version %d of %d, HALF APPLIED", s.Version, s.Latest)
	case len(s.Pending) > 0:
		return fmt.Sprintf("version %d of %d, pending: %s", s.Version, s.Latest, strings.Join(s.Pending, ", "))
	case s.Version > s.Latest:
		return fmt.Sprintf("version %d, newer than the %d of this build", s.Version, s.Latest)
	default:
		return fmt.Sprintf("version %d, up to date", s.Version)
	}
}

// connectPause is the time between two attempts to connect, connectTimeout the limit of one.
const connectPause, connectTimeout = time.Second, 5 * time.Second

// Await returns when the database accepts a connection. After timeout it returns the error of the last attempt. A database that
// starts together with its migration, as in a cluster, refuses connections, has no DNS name yet, or is starting up.
func Await(ctx context.Context, databaseURL string, logger *slog.Logger, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deadline, _ := ctx.Deadline() // set above
	var last error                // of an attempt that the deadline did not cut short
	for {
		err := connect(ctx, databaseURL)
		if err == nil {
			return nil
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

func connect(ctx context.Context, databaseURL string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Up applies all pending migrations. Several processes may call it at once: one migrates, the others wait and then have nothing
// to do. A database that is newer than this build is left unchanged.
func Up(ctx context.Context, databaseURL string, logger *slog.Logger) error {
	return with(ctx, databaseURL, logger, func(m *migrate.Migrate) error {
		if version, _, err := version(m); err != nil || version > migrations.Latest() {
			return err
		}
		return m.Up()
	})
}

// Down undoes the newest steps migrations, or all of them when steps is 0.
func Down(ctx context.Context, databaseURL string, logger *slog.Logger, steps int) error {
	if steps < 0 {
		return fmt.Errorf("undo %d migrations: the number must not be negative", steps)
	}
	return with(ctx, databaseURL, logger, func(m *migrate.Migrate) error {
		if steps == 0 {
			return m.Down()
		}
		return m.Steps(-steps)
	})
}

// Inspect returns the state of the schema.
func Inspect(ctx context.Context, databaseURL string) (Status, error) {
	s := Status{Latest: migrations.Latest()}
	err := with(ctx, databaseURL, slog.New(slog.DiscardHandler), func(m *migrate.Migrate) (err error) {
		s.Version, s.Dirty, err = version(m)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	for _, name := range names {
		var number uint
		if _, scanErr := fmt.Sscanf(name, "%d_", &number); scanErr == nil && number > s.Version {
			s.Pending = append(s.Pending, strings.TrimSuffix(name, ".up.sql"))
		}
	}
	return s, err
}

// version returns 0 for a database without any migration.
func version(m *migrate.Migrate) (uint, bool, error) {
	v, dirty, err := m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, false, nil
	}
	return v, dirty, err
}

func dirtyError(version int) error {
	return fmt.Errorf("migration %d was interrupted and left the schema half applied: compare the schema with migrations/%06d_*.sql, "+
		"finish or undo it by hand, then set `dirty` to false in public.schema_migrations (and `version` to %d if you undid it)",
		version, version, version-1)
}

// with opens the database for fn. When ctx ends, the migration in progress is completed and no other one is started.
func with(ctx context.Context, databaseURL string, logger *slog.Logger, fn func(m *migrate.Migrate) error) error {
	source, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	target, err := driverURL(databaseURL)
	if err != nil {
		return err
	}
	m, err := migrate.NewWithSourceInstance("embedded", source, target)
	if err != nil {
		return fmt.Errorf("connect to the database to migrate: %w", err)
	}
	m.Log = log{logger}
	m.LockTimeout = lockTimeout
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	err = fn(m)
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	// Only the library, which holds the lock, can tell this: from outside, a migration in progress looks the same.
	if dirty, ok := errors.AsType[migrate.ErrDirty](err); ok {
		err = dirtyError(dirty.Version)
	}
	sourceErr, databaseErr := m.Close()
	if err := errors.Join(err, sourceErr, databaseErr, ctx.Err()); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// driverURL returns the URL under which golang-migrate finds its pgx driver.
func driverURL(databaseURL string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errors.New("DATABASE_URL: must begin with postgres://") // the text of err would show the password
	}
	u.Scheme = "pgx5"
	query := u.Query()
	query.Set("x-multi-statement", "false") // a file is one transaction
	query.Set("x-migrations-table", "schema_migrations")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// log adapts a slog.Logger to golang-migrate.
type log struct{ *slog.Logger }

// Printf implements migrate.Logger.
func (l log) Printf(format string, args ...any) {
	l.Info("migrate", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Verbose implements migrate.Logger.
func (log) Verbose() bool { return false }
