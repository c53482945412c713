package localproc_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// ownerHome makes this test binary the owner of a server in the home that it names, to be killed by a test.
const ownerHome = "LOCALPROC_TEST_OWNER_HOME"

func TestMain(m *testing.M) {
	if home := os.Getenv(ownerHome); home != "" {
		os.Exit(own(localproc.Home(home)))
	}
	os.Exit(m.Run())
}

// own starts a server, prints its process id and waits until it is killed.
func own(home localproc.Home) int {
	process, err := start(context.Background(), home, "trap '' INT; while true; do sleep 1; done")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = fmt.Fprintln(os.Stdout, process.PID())
	<-process.Done()
	return 1
}

// start starts a shell that stands in for a server.
func start(ctx context.Context, home localproc.Home, script string) (*localproc.Process, error) {
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	release, err := localproc.Lock(string(home))
	if err != nil {
		return nil, err
	}
	return id.Start(ctx, localproc.Command{
		Home: home, Program: "/bin/sh", Args: []string{"-c", script}, Log: "log", OnDeath: syscall.SIGTERM, Release: release,
	})
}

// mustStart starts a server that is killed when the test ends.
func mustStart(t *testing.T, home localproc.Home, script string) *localproc.Process {
	t.Helper()
	process, err := start(t.Context(), home, script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Kill() })
	return process
}

// newHome returns a home with an empty data directory.
func newHome(t *testing.T) localproc.Home {
	t.Helper()
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		t.Fatal(err)
	}
	home, err := id.Home(t.Context(), enterableDir(t), filepath.Join(enterableDir(t), "fallback"), "/bin/ls")
	if err != nil {
		t.Fatal(err)
	}
	if err := id.MakeData(home); err != nil {
		t.Fatal(err)
	}
	return home
}

// enterableDir returns a directory that other users can access, unlike t.TempDir.
func enterableDir(t *testing.T) string {
	t.Helper()
	dir, err := platformtest.ServerDir("localproc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// startOwner starts another process that owns a server in home. It returns that process and the server's process id.
func startOwner(t *testing.T, home localproc.Home) (owner *os.Process, server int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerHome+"="+string(home))
	cmd.Stderr = t.Output()
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := fmt.Fscan(output, &server); err != nil {
		t.Fatalf("no process id from the owner: %v", err)
	}
	return cmd.Process, server
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// eventually waits for a condition that another process fulfils.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	platformtest.Eventually(t, time.Minute, what, condition)
}
