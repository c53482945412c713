package deployment

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := platformtest.ServerDir("deployment")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// database is the part that both have in common.
type database interface {
	Start(ctx context.Context) error
	Kill() error
	Pause() error
	Resume() error
	Stop(ctx context.Context) error
}

// checkFaults pauses a database while it is used, kills it, and starts it again at the same address.
func checkFaults(t *testing.T, d database, use func(ctx context.Context) error) {
	t.Helper()
	t.Cleanup(func() { _ = d.Stop(context.Background()) })
	if err := use(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Pause(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- use(t.Context()) }()
	select {
	case err := <-answered:
		t.Errorf("it answered while it was paused: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := d.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("use after the pause: %v", err)
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := use(t.Context()); err == nil {
		t.Error("it answered after it was killed")
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := use(t.Context()); err != nil {
		t.Errorf("use after a restart: %v", err)
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := &Postgres{dir: serverDir(t)}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	url, runs := p.server.URL(), 0
	checkFaults(t, p, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		runs++
		_, err = conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS facts (n int)`)
		return err
	})
	if _, err := os.Stat(filepath.Join(p.dir, "postgres")); err != nil || runs != 3 {
		t.Errorf("used %d times, %v", runs, err)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := &Redis{dir: serverDir(t)}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	options, err := redis.ParseURL(r.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, r, func(ctx context.Context) error {
		client := redis.NewClient(options)
		defer client.Close()
		return client.Ping(ctx).Err()
	})
}
