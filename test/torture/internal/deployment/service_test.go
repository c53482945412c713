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

// newService returns a service that does what a shell script says.
func newService(t *testing.T, script string) *Service {
	t.Helper()
	dir := t.TempDir()
	s := &Service{name: "service", program: filepath.Join(dir, "service"), log: filepath.Join(dir, "service.log"), environ: os.Environ()}
	if err := os.WriteFile(s.program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 10*time.Second, "it runs", func() bool {
		log, _ := os.ReadFile(s.log)
		return strings.Contains(string(log), "ready")
	})
	return s
}

func (s *Service) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil
}

func TestService(t *testing.T) {
	t.Parallel()
	s := newService(t, "echo ready; exec sleep 1000")
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil || s.running() {
		t.Errorf("killed while it hangs: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Errorf("started again: %v", err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil || s.running() {
		t.Errorf("stopped while it hangs: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
	if crashes := s.Crashes(); len(crashes) > 0 {
		t.Errorf("what was asked for is a crash: %q", crashes)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	s := newService(t, "echo ready; exit 3")
	platformtest.Eventually(t, 10*time.Second, "it has ended", func() bool { return !s.running() })
	if crashes := s.Crashes(); len(crashes) != 1 || !strings.Contains(crashes[0], "exit status 3") {
		t.Errorf("%q", crashes)
	}
}

func TestChildren(t *testing.T) {
	t.Parallel()
	s := newService(t, "sleep 1000 & echo ready; wait")
	s.mu.Lock()
	pid := s.process.cmd.Process.Pid
	s.mu.Unlock()
	if !slices.Contains(children(os.Getpid()), pid) {
		t.Error("a child of ours is not found")
	}
	grandchildren := children(pid)
	if len(grandchildren) != 1 {
		t.Errorf("it has %d children", len(grandchildren))
	}
	if err := send(9, grandchildren...); err != nil {
		t.Error(err)
	}
}
