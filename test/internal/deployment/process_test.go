package deployment

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// start runs a shell script and waits until it prints "ready".
func start(t *testing.T, script string) *Process {
	t.Helper()
	s := NewProcess(Command{Program: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log"), Environ: os.Environ()})
	t.Cleanup(func() { _ = s.Kill() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 10*time.Second, "the script is ready", func() bool {
		log, _ := os.ReadFile(s.command.Log)
		return strings.Contains(string(log), "ready")
	})
	return s
}

func TestProcess(t *testing.T) {
	t.Parallel()
	s := start(t, "echo ready; exec sleep 1000")
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil || s.Running() {
		t.Errorf("killed while paused: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Errorf("started again: %v", err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil || s.Running() {
		t.Errorf("stopped while paused: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
	if crashes := s.Crashes(); len(crashes) > 0 {
		t.Errorf("a requested exit counts as a crash: %q", crashes)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	s := start(t, "echo ready; exit 3")
	platformtest.Eventually(t, 10*time.Second, "the script has exited", func() bool { return !s.Running() })
	if crashes := s.Crashes(); len(crashes) != 1 || !strings.Contains(crashes[0], "exit status 3") {
		t.Errorf("%q", crashes)
	}
}

func TestChildren(t *testing.T) {
	t.Parallel()
	s := start(t, "sleep 1000 & echo ready; wait")
	pid := s.PID()
	if !slices.Contains(children(os.Getpid()), pid) {
		t.Error("a child of this process was not found")
	}
	grandchildren := children(pid)
	if len(grandchildren) != 1 {
		t.Errorf("%d grandchildren, want 1", len(grandchildren))
	}
	if err := send(9, grandchildren...); err != nil {
		t.Error(err)
	}
}
