// Package dbtest gives each test a migrated database of its own, on a real Postgres.
//
// Each test process starts one private server when the first test needs it, migrates a template database once, and clones
// it for every test. With TEST_DATABASE_URL the server named there is used instead; its login must be a superuser.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// settings make a server fast whose data need not outlive the tests.
var settings = map[string]string{
	"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "500",
	"shared_buffers": "128MB", "max_wal_size": "1GB", "autovacuum_naptime": "1min",
}

// shared is the server of this test process.
var shared struct {
	sync.Mutex // held while a database is made: a template must not be in use meanwhile
	server     *localpg.Server
	dir        string
	admin      string // URL of a superuser
	template   string
	err        error
}

// databases numbers the databases of this process.
var databases atomic.Int64

// Stop stops the shared server. TestMain calls it after m.Run, through platformtest.Main.
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if shared.server != nil {
		return errors.Join(shared.server.Stop(ctx), os.RemoveAll(shared.dir))
	}
	if shared.template != "" { // on somebody else's server
		return execute(ctx, shared.admin, "DROP DATABASE IF EXISTS "+shared.template+" WITH (FORCE)")
	}
	return nil
}

// start makes the template once; a failure is remembered.
func start(ctx context.Context) error {
	if shared.template != "" || shared.err != nil {
		return shared.err
	}
	shared.err = func() error {
		if !platformtest.HasMain() {
			return errors.New("dbtest needs `func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }` in the package")
		}
		if shared.admin = os.Getenv("TEST_DATABASE_URL"); shared.admin == "" {
			if err := startServer(ctx); err != nil {
				return err
			}
		}
		template := fmt.Sprintf("hpa_test_%d_template", os.Getpid())
		if err := execute(ctx, shared.admin, "CREATE DATABASE "+template); err != nil {
			return err
		}
		if err := migrate.Up(ctx, databaseURL(shared.admin, template), platformtest.Discard()); err != nil {
			return err
		}
		shared.template = template
		return nil
	}()
	return shared.err
}

func startServer(ctx context.Context) (err error) {
	if shared.dir, err = platformtest.ServerDir("postgres"); err != nil {
		return err
	}
	shared.server, err = localpg.Start(ctx, localpg.Options{Dir: shared.dir, Settings: settings, Logger: platformtest.Discard()})
	if err == nil {
		shared.admin = shared.server.URL()
	}
	return err
}

// Database is one test's database.
type Database struct {
	tb  testing.TB
	url string
}

// New returns an empty, migrated database that is dropped when the test ends.
func New(tb testing.TB) *Database {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	ctx := context.WithoutCancel(tb.Context())
	if err := start(ctx); err != nil {
		tb.Fatalf("start Postgres: %v", err)
	}
	name := fmt.Sprintf("hpa_test_%d_%d", os.Getpid(), databases.Add(1))
	if err := execute(ctx, shared.admin, "CREATE DATABASE "+name+" TEMPLATE "+shared.template+" STRATEGY file_copy"); err != nil {
		tb.Fatalf("clone the template database: %v", err)
	}
	tb.Cleanup(func() {
		if err := execute(context.Background(), shared.admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return &Database{tb: tb, url: databaseURL(shared.admin, name)}
}

// URL returns the connection URL as a superuser.
func (d *Database) URL() string { return d.url }

// Config returns the configuration with which a service connects.
func (d *Database) Config() postgres.Config { return Config(d.url) }

// Config returns the configuration with which a service connects to url.
func Config(url string) postgres.Config {
	return postgres.Config{URL: config.URL(url), MaxConns: 8, ConnectTimeout: 5 * time.Second, StatementTimeout: 30 * time.Second}
}

// Pool returns a pool that acts as role ("" for the superuser) and is closed with the test.
func (d *Database) Pool(role string) *pgxpool.Pool {
	d.tb.Helper()
	pool, err := postgres.Open(context.WithoutCancel(d.tb.Context()), d.Config(), role, "test", nil)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.tb.Cleanup(pool.Close)
	return pool
}

// databaseURL returns serverURL with another database.
func databaseURL(serverURL, name string) string {
	u, err := url.Parse(serverURL)
	if err != nil {
		return serverURL // the next connect says what is wrong with it
	}
	u.Path = "/" + name
	return u.String()
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement is done
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
