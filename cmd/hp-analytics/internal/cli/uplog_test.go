package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestTheLogIsBounded writes ten times the size of one file.
func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := rotatingLog(dir, 1)
	line := []byte(strings.Repeat("x", 64<<10-1) + "\n")
	for range 10 << 20 / len(line) {
		if _, err := log.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, time.Minute, "old files are removed", func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) > 1 && len(files) <= logBackups+1
	})
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 1<<20 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %s", file, info.Size(), info.Mode())
		}
	}
}
