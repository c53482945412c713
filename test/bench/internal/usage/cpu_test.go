package usage_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/usage"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// TestCPU counts the work of a shell's child for the shell, and not for another process.
func TestCPU(t *testing.T) {
	t.Parallel()
	start := func(script string) *deployment.Process {
		p := deployment.NewProcess(deployment.Command{
			Program: "/bin/sh", Args: []string{"-c", script}, Environ: os.Environ(), Log: filepath.Join(t.TempDir(), "log"),
		})
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Kill() })
		return p
	}
	busy, idle := start(`(while kill -0 $$; do :; done) & wait`), start("exec sleep 60") // the child exits after its shell
	groups := map[string][]int{"busy": {busy.PID()}, "idle": {idle.PID()}}
	platformtest.Eventually(t, 20*time.Second, "the child's work is counted", func() bool {
		return usage.CPU(groups)["busy"] >= 100*time.Millisecond
	})
	if used := usage.CPU(groups)["idle"]; used >= 100*time.Millisecond {
		t.Errorf("a sleeping process used %s", used)
	}
	before := usage.OwnCPU()
	platformtest.Eventually(t, 20*time.Second, "this process works", func() bool { return usage.OwnCPU() > before })
}
