// Package redistest provides a real Redis for tests: one private server per test process, and one of its databases per test.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// maxDatabases limits the tests of one process that use Redis at the same time. It equals the number that localredis configures.
const maxDatabases = 256

// shared is the server of this test process. The first test that needs it starts it, and Stop stops it.
var shared struct {
	sync.Mutex
	server *localredis.Server
	dir    string
	err    error
	free   []int // database numbers
}

// Stop stops the shared server. TestMain calls it after m.Run, through platformtest.Main.
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(shared.server.Stop(ctx), os.RemoveAll(shared.dir))
}

// start starts the shared server once. Later calls return the same error.
func start(ctx context.Context) error {
	if shared.server != nil || shared.err != nil {
		return shared.err
	}
	if !platformtest.HasMain() {
		return errors.New("redistest needs `func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }` in the package")
	}
	shared.dir, shared.err = platformtest.ServerDir("redis")
	if shared.err == nil {
		shared.server, shared.err = localredis.Start(ctx, localredis.Options{Dir: shared.dir, Logger: platformtest.Discard()})
	}
	for i := range maxDatabases {
		shared.free = append(shared.free, i)
	}
	return shared.err
}

// New returns the configuration of an empty Redis database that no other test uses until this one ends.
func New(tb testing.TB) platformredis.Config {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if err := start(context.WithoutCancel(tb.Context())); err != nil {
		tb.Fatalf("start Redis: %v", err)
	}
	if len(shared.free) == 0 {
		tb.Fatalf("more than %d tests use Redis at the same time", maxDatabases)
	}
	number := shared.free[0]
	shared.free = shared.free[1:]
	cfg := Config(shared.server)
	cfg.URL = config.URL(string(cfg.URL)[:len(cfg.URL)-1] + strconv.Itoa(number)) // the URL ends in /0
	tb.Cleanup(func() {
		if err := flush(cfg); err != nil {
			tb.Errorf("empty Redis: %v", err)
		}
		shared.Lock()
		defer shared.Unlock()
		shared.free = append(shared.free, number)
	})
	return cfg
}

func flush(cfg platformredis.Config) error {
	client, err := platformredis.Open(cfg, "redistest")
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // all replies were read
	return client.FlushDB(context.Background()).Err()
}

// Config returns the configuration of a client of server. The timeout suits a busy test machine.
func Config(server *localredis.Server) platformredis.Config {
	return platformredis.Config{URL: config.URL(server.URL()), PoolSize: 10, Timeout: 2 * time.Second, Namespace: "test"}
}

// Client returns a client of cfg that is closed with the test. Its keys are those of an installation called "test".
func Client(tb testing.TB, cfg platformredis.Config) *platformredis.Client {
	tb.Helper()
	return ClientOf(tb, cfg, func(context.Context) (string, error) { return "test", nil })
}

// ClientOf returns a client that uses the keys of the installation that identify tells, as a service does.
func ClientOf(tb testing.TB, cfg platformredis.Config, identify func(context.Context) (string, error)) *platformredis.Client {
	tb.Helper()
	client, err := platformredis.Open(cfg, "test")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return platformredis.NewClient(client, cfg, identify)
}

// Server is a private Redis that a test can stop, kill and wipe. Its address stays the same across restarts.
type Server struct {
	tb      testing.TB
	dir     string
	current *localredis.Server
	cfg     platformredis.Config
}

// StartServer starts a private Redis for the test.
func StartServer(tb testing.TB) *Server {
	tb.Helper()
	dir, err := platformtest.ServerDir("redis")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, dir: dir}
	tb.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(dir)
	})
	s.start(0)
	s.cfg = Config(s.current)
	return s
}

// Config returns the configuration of a client of the server. It stays the same across restarts.
func (s *Server) Config() platformredis.Config { return s.cfg }

func (s *Server) start(port int) {
	s.tb.Helper()
	server, err := localredis.Start(context.WithoutCancel(s.tb.Context()), localredis.Options{
		Dir: s.dir, Port: port, Password: s.password(), Logger: platformtest.Discard(),
	})
	if err != nil {
		s.tb.Fatalf("start Redis: %v", err)
	}
	s.current = server
}

func (s *Server) password() string {
	if s.current == nil {
		return ""
	}
	return s.current.Password()
}

// Restart starts the server again on its address after Stop or Kill.
func (s *Server) Restart() { s.start(s.current.Port()) }

// Stop stops the server; its address refuses connections from then on.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.current.Stop(ctx); err != nil {
		s.tb.Errorf("stop Redis: %v", err)
	}
}

// Kill kills the server, as a crash would.
func (s *Server) Kill() {
	if err := s.current.Kill(); err != nil {
		s.tb.Errorf("kill Redis: %v", err)
	}
}

// Signal sends a signal: SIGSTOP makes the server hang, and SIGCONT resumes it.
func (s *Server) Signal(signal os.Signal) {
	if err := s.current.Signal(signal); err != nil {
		s.tb.Errorf("signal Redis: %v", err)
	}
}

// FlushAll wipes the server.
func (s *Server) FlushAll() {
	client, err := platformredis.Open(s.cfg, "redistest")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // all replies were read
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		s.tb.Errorf("wipe Redis: %v", fmt.Errorf("flushall: %w", err))
	}
}

// Key returns the key that client uses for name.
func Key(tb testing.TB, client *platformredis.Client, name string) string {
	tb.Helper()
	key, err := client.Key(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Queue returns the name in Asynq of the queue that client calls name.
func Queue(tb testing.TB, client *platformredis.Client, name string) string {
	tb.Helper()
	queue, err := client.Queue(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return queue
}
