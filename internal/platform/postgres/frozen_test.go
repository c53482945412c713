package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// The test binary can be a process of its own, to be frozen: asHolder names what it does, and holderURL the database.
const (
	asHolder  = "POSTGRES_TEST_HOLD"
	holderURL = "POSTGRES_TEST_URL"
)

// frozenLock is the lock of the leader that is frozen.
var frozenLock = postgres.NewAdvisoryLock(7, 102)

// frozenConfig ends idle transactions after a second.
func frozenConfig(url string) postgres.Config {
	return postgres.Config{
		URL: config.URL(url), MaxConns: 4, ConnectTimeout: time.Minute, StatementTimeout: time.Minute, IdleTransactionTimeout: time.Second,
	}
}

// hold takes a lock, says so, and keeps it until the process is killed.
func hold(what string) error {
	ctx := context.Background()
	pool, err := postgres.Open(ctx, frozenConfig(os.Getenv(holderURL)), "", "holder", nil)
	if err != nil {
		return err
	}
	if what == "leader" {
		leader := &postgres.Leader{Pool: pool, Lock: frozenLock, Retry: 100 * time.Millisecond, Logger: platformtest.Discard()}
		leader.Run(ctx, func(ctx context.Context) error {
			_, _ = fmt.Fprintln(os.Stdout, "holding")
			<-ctx.Done()
			return nil
		})
		return nil
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE frozen SET n = n + 1`); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, "holding"); err != nil {
		return err
	}
	select {}
}

// freeze starts a process that holds a lock, and stops it with SIGSTOP. It stays stopped until the test ends.
func freeze(t *testing.T, what string) {
	t.Helper()
	program := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	program.Env = append(os.Environ(), asHolder+"="+what, holderURL+"="+server.URL())
	program.Stderr = t.Output()
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait() // killed
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); strings.TrimSpace(line) != "holding" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	if err := program.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// TestAFrozenTransactionReleasesItsLocks freezes a process that has locked a row. Its kernel still acknowledges what the server
// sends, so only the timeout of the server ends its transaction.
func TestAFrozenTransactionReleasesItsLocks(t *testing.T) {
	t.Parallel()
	pool := open(t, cfg(), "")
	execute(t, pool, `DROP TABLE IF EXISTS frozen; CREATE TABLE frozen AS SELECT 0 AS n`)
	freeze(t, "row")
	execute(t, pool, `UPDATE frozen SET n = n + 10`) // waits, at most for the statement timeout of a minute
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT n FROM frozen`).Scan(&n); err != nil || n != 10 {
		t.Errorf("n is %d, %v; the transaction of the frozen process must be rolled back", n, err)
	}
}

// TestAFrozenLeaderIsReplaced freezes the leader. Its session is idle outside a transaction.
func TestAFrozenLeaderIsReplaced(t *testing.T) {
	t.Parallel()
	freeze(t, "leader")
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if held, err := frozenLock.TryHold(t.Context(), conn); err != nil || held {
		t.Fatalf("the frozen process does not lead: %t, %v", held, err)
	}
	platformtest.Eventually(t, time.Minute, "another process can lead", func() bool {
		held, err := frozenLock.TryHold(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return held
	})
}
