package localpg_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// ownerDir names the environment variable that turns this test binary into the owner of a server in the given directory, for
// tests that kill the owner.
const ownerDir = "LOCALPG_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		server, err := localpg.Start(context.Background(), localpg.Options{Dir: dir, Logger: platformtest.Discard()})
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = fmt.Fprintln(os.Stdout, server.PID(), server.URL())
		<-server.Done()
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func newDir(t *testing.T) string {
	t.Helper()
	dir, err := platformtest.ServerDir("localpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "postgres")
}

func start(t *testing.T, dir string) *localpg.Server {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Logger: platformtest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	return server
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, dir)
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": "127.0.0.1", "TimeZone": "UTC"} {
		if got := query(t, server.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	if os.Geteuid() == 0 {
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.PID()), "status"))
		if err != nil || strings.Contains(string(status), "\nUid:\t0\t") {
			t.Errorf("the server runs as root: %v", err)
		}
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(server.URL(), "://", "://x", 1)); err == nil {
		t.Error("another user can log in")
	}
	execute(t, server.URL(), `CREATE TABLE kept AS SELECT 'still here' AS what`)
	for range 2 { // stopping twice is not an error
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-server.Done():
	default:
		t.Error("a stopped server is not done")
	}
	if got := query(t, start(t, dir).URL(), `SELECT what FROM kept`); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestOneServerPerDirectory(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	start(t, dir)
	_, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Logger: platformtest.Logger(t)})
	if _, locked := errors.AsType[*localproc.LockedError](err); !locked {
		t.Errorf("a second server: %v", err)
	}
}

// TestRestartAfterKilledOwner kills the owner of a server with SIGKILL, and in the second round the server as well.
func TestRestartAfterKilledOwner(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	for round := range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), ownerDir+"="+dir)
		cmd.Stderr = t.Output()
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var pid int
		var url string
		if _, err := fmt.Fscan(output, &pid, &url); err != nil {
			t.Fatal(err)
		}
		execute(t, url, fmt.Sprintf(`CREATE TABLE kept_%d AS SELECT 'still here' AS what`, round))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if server, err := os.FindProcess(pid); round == 1 && err == nil {
			_ = server.Kill() // it may already have exited, because of its parent-death signal
		}
		next := start(t, dir)
		if next.PID() == pid {
			t.Error("the leftover server still runs")
		}
		if got := query(t, next.URL(), fmt.Sprintf(`SELECT what FROM kept_%d`, round)); got != "still here" {
			t.Errorf("after the crash: %q", got)
		}
		if err := next.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterruptedInitdbIsRepeated interrupts initdb, as a crash in the first seconds does.
func TestInterruptedInitdbIsRepeated(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil { // initdb creates base early and runs for a long time after that
			if found, _ := filepath.Glob(filepath.Join(dir, "*", "base")); len(found) > 0 {
				cancel()
			}
			_ = localproc.Pause(ctx, time.Millisecond)
		}
	}()
	if server, err := localpg.Start(ctx, localpg.Options{Dir: dir, Logger: platformtest.Logger(t)}); err == nil {
		_ = server.Stop(t.Context())
		t.Fatal("initdb was not interrupted")
	}
	if got := query(t, start(t, dir).URL(), `SELECT 'ok'`); got != "ok" {
		t.Errorf("got %q", got)
	}
}
