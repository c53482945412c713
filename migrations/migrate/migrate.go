// Package migrate applies the migrations with golang-migrate, through a driver of its own: each migration runs in one
// transaction together with the row that says it was applied. So a failed or killed migration changes nothing, and the
// next run begins with it again.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/hp-analytics/hp-analytics/migrations"
)

// Status describes the schema of a database.
type Status struct {
	Version uint // of the newest migration that was applied; 0 for none
	Latest  uint // the newest migration of this build
	Pending []string
}

// String returns the status as shown to people.
func (s Status) String() string {
	switch {
	case len(s.Pending) > 0:
		return fmt.Sprintf("version %d of %d, pending: %s", s.Version, s.Latest, strings.Join(s.Pending, ", "))
	case s.Version > s.Latest:
		return fmt.Sprintf("version %d, newer than the %d of this build", s.Version, s.Latest)
	default:
		return fmt.Sprintf("version %d, up to date", s.Version)
	}
}

// Up applies all pending migrations. Several processes may call it at once: one migrates, the others wait and then have nothing
// to do. A database that is newer than this build is left unchanged.
func Up(ctx context.Context, databaseURL string, logger *slog.Logger) error {
	return UpFrom(ctx, migrations.FS, databaseURL, logger)
}

// UpFrom is Up with files other than those of this build. Tests apply the migration of a later release by it.
func UpFrom(ctx context.Context, files fs.FS, databaseURL string, logger *slog.Logger) error {
	latest, err := latest(files)
	if err != nil {
		return err
	}
	return with(ctx, files, databaseURL, logger, func(m *migrate.Migrate) error {
		if version, err := version(m); err != nil || version > latest {
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
	return with(ctx, migrations.FS, databaseURL, logger, func(m *migrate.Migrate) error {
		if steps == 0 {
			return m.Down()
		}
		return m.Steps(-steps)
	})
}

// Inspect returns the state of the schema. It changes nothing, and does not wait for a migration in progress.
func Inspect(ctx context.Context, databaseURL string) (Status, error) {
	s := Status{Latest: migrations.Latest()}
	err := with(ctx, migrations.FS, databaseURL, slog.New(slog.DiscardHandler), func(m *migrate.Migrate) (err error) {
		s.Version, err = version(m)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	for _, name := range names {
		if number, ok := numberOf(name); ok && number > s.Version {
			s.Pending = append(s.Pending, strings.TrimSuffix(name, ".up.sql"))
		}
	}
	return s, err
}

// latest returns the number of the newest migration.
func latest(files fs.FS) (newest uint, err error) {
	names, err := fs.Glob(files, "*.up.sql")
	for _, name := range names {
		if number, ok := numberOf(name); ok {
			newest = max(newest, number)
		}
	}
	return newest, err
}

// numberOf returns the number in the name of a file.
func numberOf(name string) (number uint, ok bool) {
	_, err := fmt.Sscanf(name, "%d_", &number)
	return number, err == nil
}

// version returns 0 for a database without any migration.
func version(m *migrate.Migrate) (uint, error) {
	v, _, err := m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, nil
	}
	return v, err
}

// with opens the database for fn. When ctx ends, the migration in progress is completed and no other one is started.
func with(ctx context.Context, files fs.FS, databaseURL string, logger *slog.Logger, fn func(m *migrate.Migrate) error) error {
	source, err := iofs.New(files, ".")
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	target, err := open(ctx, files, databaseURL, logger)
	if err != nil {
		return errors.Join(err, source.Close())
	}
	m, err := migrate.NewWithInstance("embedded", source, "postgres", target)
	if err != nil {
		return errors.Join(fmt.Errorf("set up the migrations: %w", err), source.Close(), target.Close())
	}
	m.Log = log{logger}
	m.LockTimeout = 2 * lockTimeout // the driver's own limit comes first
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	err = fn(m)
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	sourceErr, databaseErr := m.Close()
	return errors.Join(err, sourceErr, databaseErr, ctx.Err())
}

// log adapts a slog.Logger to golang-migrate.
type log struct{ *slog.Logger }

// Printf implements migrate.Logger.
func (l log) Printf(format string, args ...any) {
	l.Info("migrate", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Verbose implements migrate.Logger.
func (log) Verbose() bool { return false }
