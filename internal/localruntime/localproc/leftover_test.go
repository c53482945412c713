package localproc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// startLeftover starts a server without an owner: the home is not locked, but the server's processes live.
func startLeftover(t *testing.T, script string) (Home, *Process) {
	t.Helper()
	dir, err := platformtest.ServerDir("localproc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	id, err := Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	home := Home(dir)
	if err := id.MakeData(home); err != nil {
		t.Fatal(err)
	}
	process, err := id.Start(t.Context(), Command{
		Home: home, Program: "/bin/sh", Args: []string{"-c", script}, Log: "log", OnDeath: syscall.SIGKILL,
		Release: func() error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Kill() })
	platformtest.Eventually(t, time.Minute, "the server is ready", func() bool { return strings.Contains(process.LogTail(), "ready") })
	return home, process
}

func TestStopLeftoverSendsFirstSignal(t *testing.T) {
	t.Parallel()
	home, process := startLeftover(t, `trap 'echo bye; exit 0' TERM; echo ready; while true; do sleep 0.01; done`)
	if err := StopLeftover(t.Context(), platformtest.Logger(t), home, "sh", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-process.Done()
	if !strings.Contains(process.LogTail(), "bye") {
		t.Errorf("the server was stopped without SIGTERM: %s", process.Err())
	}
}

func TestStopLeftoverKillsHangingServer(t *testing.T) {
	t.Parallel()
	home, process := startLeftover(t, `trap 'echo no' TERM; echo ready; while true; do sleep 0.01; done`)
	err := stopLeftover(t.Context(), platformtest.Logger(t), home, "sh", 300*time.Millisecond, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL})
	if err != nil {
		t.Fatal(err)
	}
	<-process.Done()
	if !strings.Contains(process.LogTail(), "no") {
		t.Errorf("the server was killed without SIGTERM first: %s", process.Err())
	}
}

func TestStopLeftoverStopsOrphanedChildren(t *testing.T) {
	t.Parallel()
	home, process := startLeftover(t, `sh -c 'echo ready; while true; do sleep 0.01; done' & wait`)
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if locked, err := home.leftover(); locked == nil || err != nil {
		t.Fatalf("the child does not keep the home in use: %v, %v", locked, err)
	}
	if err := StopLeftover(t.Context(), platformtest.Logger(t), home, "sh", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if locked, err := home.leftover(); locked != nil || err != nil {
		t.Errorf("the home is still in use: %v, %v", locked, err)
	}
}

func TestStopLeftoverSparesOtherPrograms(t *testing.T) {
	t.Parallel()
	home, process := startLeftover(t, `trap 'echo no' TERM; echo ready; while true; do sleep 0.01; done`)
	err := stopLeftover(t.Context(), platformtest.Logger(t), home, "postgres", 100*time.Millisecond, []syscall.Signal{syscall.SIGKILL})
	if err == nil || !strings.Contains(err.Error(), "does not stop") {
		t.Errorf("want an error that the server does not stop, got %v", err)
	}
	select {
	case <-process.Done():
		t.Error("a process of another program was killed")
	default:
	}
}

func TestStopLeftoverHonorsContext(t *testing.T) {
	t.Parallel()
	home, process := startLeftover(t, `trap '' TERM; echo ready; while true; do sleep 0.01; done`)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("Ctrl-C")
	cancel(interrupted)
	err := StopLeftover(ctx, platformtest.Logger(t), home, "sh", syscall.SIGTERM)
	if !errors.Is(err, interrupted) || !strings.Contains(err.Error(), strconv.Itoa(process.PID())) {
		t.Errorf("want the cause and the process id in the error, got %v", err)
	}
}

func TestStopLeftoverWithoutServer(t *testing.T) {
	t.Parallel()
	home := Home(t.TempDir())
	if err := os.WriteFile(filepath.Join(string(home), serverLockName), []byte("1\n"), 0o600); err != nil { // from an earlier run
		t.Fatal(err)
	}
	if err := StopLeftover(t.Context(), platformtest.Logger(t), home, "sh", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
