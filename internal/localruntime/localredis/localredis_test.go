package localredis_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func newDir(t *testing.T) string {
	t.Helper()
	dir, err := platformtest.ServerDir("localredis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "redis")
}

func start(t *testing.T, dir string) *localredis.Server {
	t.Helper()
	server, err := localredis.Start(t.Context(), localredis.Options{Dir: dir, Logger: platformtest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	return server
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, dir)
	if err := client(t, server.URL()).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.PID()), "status"))
		if err != nil || strings.Contains(string(status), "\nUid:\t0\t") {
			t.Errorf("the server runs as root: %v", err)
		}
	}
	if err := client(t, "redis://127.0.0.1:"+strconv.Itoa(server.Port())).Ping(t.Context()).Err(); err == nil {
		t.Error("the server answers without a password")
	}
	cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.PID()), "cmdline"))
	if err != nil || strings.Contains(string(cmdline), server.Password()) {
		t.Errorf("the arguments contain the password: %v", err)
	}
	_, err = localredis.Start(t.Context(), localredis.Options{Dir: dir, Logger: platformtest.Logger(t)})
	if _, locked := errors.AsType[*localproc.LockedError](err); !locked {
		t.Errorf("a second server: %v", err)
	}
	for range 2 { // stopping twice is not an error
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := client(t, start(t, dir).URL()).Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("after an orderly restart: %q", got)
	}
}

// TestBrokenDataIsSetAside starts a server on files that Redis cannot load.
func TestBrokenDataIsSetAside(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, dir)
	home := server.Dir()
	if err := client(t, server.URL()).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := 0
	err := filepath.WalkDir(home, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".rdb") && !strings.Contains(path, ".aof") {
			return err
		}
		broken++
		return os.WriteFile(path, []byte("not what Redis wrote"), 0o600)
	})
	if err != nil || broken == 0 {
		t.Fatalf("broke %d files, %v", broken, err)
	}
	if err := client(t, start(t, dir).URL()).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, dir)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	if server.Err() == nil || !strings.Contains(server.Err().Error(), "killed") {
		t.Errorf("how it ended: %v", server.Err())
	}
	if err := client(t, start(t, dir).URL()).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}
