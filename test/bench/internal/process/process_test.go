package process_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// TestUse starts a shell whose child works, and checks that both count, and that what stands beside them does not.
func TestUse(t *testing.T) {
	t.Parallel()
	start := func(script string) *process.Process {
		p, err := process.Start(process.Command{
			Program: "/bin/sh", Args: []string{"-c", script}, Environ: os.Environ(), Log: filepath.Join(t.TempDir(), "log"),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		return p
	}
	busy, idle := start(`(while kill -0 $$; do :; done) & wait`), start("exec sleep 60") // the child ends after its shell
	groups := map[string][]int{"busy": {busy.PID()}, "idle": {idle.PID()}}
	platformtest.Eventually(t, 20*time.Second, "the child's work is seen", func() bool {
		return process.CPU(groups)["busy"] >= 100*time.Millisecond
	})
	if used := process.CPU(groups)["idle"]; used >= 100*time.Millisecond {
		t.Errorf("a sleeper has used %s", used)
	}
	before := process.OwnCPU()
	platformtest.Eventually(t, 20*time.Second, "this process works", func() bool { return process.OwnCPU() > before })
	busy.Stop()
	select {
	case <-busy.Done():
	default:
		t.Error("a stopped process runs")
	}
}
