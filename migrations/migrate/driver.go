package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

const (
	// lockTimeout bounds the wait for another process that migrates the same database.
	lockTimeout = 5 * time.Minute
	// tableLockTimeout bounds one wait for the lock of a table. Requests of the running services queue behind that wait, so
	// it is much shorter than their own timeouts.
	tableLockTimeout = 2 * time.Second
	// tableLockPause lets the requests pass that queued behind a wait. Then the migration is tried again.
	tableLockPause = time.Second
	// tableLockTries bounds the attempts: about five minutes.
	tableLockTries = 100
)

// The SQLSTATEs of a lock that a migration did not get.
const (
	lockNotAvailable = "55P03" // lock_timeout has passed
	deadlockDetected = "40P01"
)

// none is the version of golang-migrate for a schema without any migration.
const none = database.NilVersion

// driver implements database.Driver on one connection. golang-migrate marks a migration as begun, runs it and marks it as
// done; the driver does all of it in one transaction in Run, so there is no state in between.
type driver struct {
	ctx     context.Context //nolint:containedctx // the interface has no contexts
	conn    *pgx.Conn
	files   fs.FS
	logger  *slog.Logger
	target  int // the version that the migration in progress leads to
	applied int // the version of the newest commit of this driver
}

// open connects. ctx ends the waits for locks, but no migration in progress.
func open(ctx context.Context, files fs.FS, databaseURL string, logger *slog.Logger) (*driver, error) {
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the database to migrate: %w", err)
	}
	return &driver{ctx: ctx, conn: conn, files: files, logger: logger, applied: none}, nil
}

// Open implements database.Driver. It is not used, because the driver is not registered under a name.
func (d *driver) Open(string) (database.Driver, error) { return nil, errors.ErrUnsupported }

// Drop implements database.Driver. Nothing drops the whole schema.
func (d *driver) Drop() error { return errors.ErrUnsupported }

// Close implements database.Driver.
func (d *driver) Close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), connectTimeout)
	defer cancel()
	return d.conn.Close(ctx)
}

// Lock implements database.Driver. It also creates the table of the version.
func (d *driver) Lock() error {
	if err := d.setLockTimeout(lockTimeout); err != nil {
		return err
	}
	_, err := d.conn.Exec(d.ctx, `SELECT pg_advisory_lock($1, $2)`, locks.Migration.Class(), locks.Migration.ID())
	if _, timeout := postgres.IsCode(err, lockNotAvailable); timeout {
		return fmt.Errorf("another process has been migrating this database for %s: %w", lockTimeout, err)
	}
	if err != nil {
		return fmt.Errorf("wait for the lock of migrations: %w", err)
	}
	if err := d.setLockTimeout(tableLockTimeout); err != nil {
		return err
	}
	const table = `
		CREATE TABLE IF NOT EXISTS public.schema_migrations (version bigint PRIMARY KEY);
		COMMENT ON TABLE public.schema_migrations IS 'One row: the newest migration that was applied. It is written in the transaction of that migration.'`
	if found, err := d.hasTable(); err != nil || found {
		return err
	}
	if _, err := d.conn.PgConn().Exec(d.ctx, table).ReadAll(); err != nil {
		return fmt.Errorf("create the table public.schema_migrations: %w", err)
	}
	return nil
}

func (d *driver) setLockTimeout(limit time.Duration) error {
	_, err := d.conn.Exec(d.ctx, fmt.Sprintf(`SET lock_timeout = %d`, limit.Milliseconds()))
	return err
}

func (d *driver) hasTable() (found bool, err error) {
	err = d.conn.QueryRow(d.ctx, `SELECT to_regclass('public.schema_migrations') IS NOT NULL`).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look for public.schema_migrations: %w", err)
	}
	return found, nil
}

// Unlock implements database.Driver. A closed connection has released the lock already.
func (d *driver) Unlock() error {
	if d.conn.IsClosed() {
		return nil
	}
	_, err := d.conn.Exec(context.WithoutCancel(d.ctx), `SELECT pg_advisory_unlock($1, $2)`, locks.Migration.Class(), locks.Migration.ID())
	return err
}

// Version implements database.Driver. No schema is ever dirty.
func (d *driver) Version() (version int, dirty bool, err error) {
	if found, err := d.hasTable(); err != nil || !found {
		return none, false, err
	}
	err = d.conn.QueryRow(d.ctx, `SELECT version FROM public.schema_migrations`).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return none, false, nil
	}
	if err != nil {
		return none, false, fmt.Errorf("read the schema version: %w", err)
	}
	return version, false, nil
}

// SetVersion implements database.Driver. Run has written the version already when it is called with dirty false.
func (d *driver) SetVersion(version int, dirty bool) error {
	if dirty {
		d.target = version
		return nil
	}
	if d.applied != version {
		return fmt.Errorf("there is no SQL file that leads to version %d", version)
	}
	return nil
}

// Run implements database.Driver. A migration that does not get the lock of a table in time, or that a deadlock ended, is
// rolled back, so that the requests behind it go on, and tried again.
func (d *driver) Run(migration io.Reader) error {
	sql, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("read the migration: %w", err)
	}
	for try := 1; ; try++ {
		err := d.apply(string(sql))
		_, busy := postgres.IsCode(err, lockNotAvailable)
		_, deadlock := postgres.IsCode(err, deadlockDetected)
		if !busy && !deadlock || try == tableLockTries {
			return err
		}
		d.logger.WarnContext(d.ctx, "a table is in use; the migration waits and begins again", "try", try, "err", err)
		select {
		case <-time.After(tableLockPause):
		case <-d.ctx.Done():
			return err
		}
	}
}

// apply runs a migration and writes its version, in one transaction.
func (d *driver) apply(sql string) error {
	ctx := context.WithoutCancel(d.ctx)
	from, _, err := d.Version()
	if err != nil {
		return err
	}
	tx, err := d.conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin a migration: %w", err)
	}
	defer tx.Rollback(ctx)
	if err := requireLock(ctx, tx); err != nil {
		return err
	}
	if done, err := execute(ctx, d.conn.PgConn(), sql); err != nil {
		return d.failure(from, sql, done, err)
	}
	if d.conn.PgConn().TxStatus() != 'T' {
		return fmt.Errorf("%s ends its own transaction: remove COMMIT and ROLLBACK from it", d.file(from))
	}
	if err := record(ctx, tx, d.target); err != nil {
		return fmt.Errorf("write the version: %w (%s was rolled back: nothing was changed)", err, d.file(from))
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w (%s is applied completely or not at all: run `migrate up` again)", err, d.file(from))
	}
	d.applied = d.target
	return nil
}

// requireLock returns an error unless the session of tx holds the lock of migrations. A pooler that shares sessions among its
// clients can pass the check of connect by chance.
func requireLock(ctx context.Context, tx pgx.Tx) error {
	const query = `
		SELECT EXISTS (
			SELECT FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 2 AND granted AND pid = pg_backend_pid())`
	var held bool
	if err := tx.QueryRow(ctx, query, uint32(locks.Migration.Class()), uint32(locks.Migration.ID())).Scan(&held); err != nil {
		return fmt.Errorf("look for the lock of migrations: %w", err)
	}
	if !held {
		return errors.New("this session does not hold the lock of migrations: a migration has released it, or a pooler shares sessions " +
			"among clients (set pool_mode=session for this database, or connect to Postgres directly)")
	}
	return nil
}

// record replaces the version without a lock that readers would wait for.
func record(ctx context.Context, tx pgx.Tx, version int) error {
	if _, err := tx.Exec(ctx, `DELETE FROM public.schema_migrations`); err != nil || version == none {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO public.schema_migrations (version) VALUES ($1)`, version)
	return err
}
