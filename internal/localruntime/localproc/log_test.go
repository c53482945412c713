package localproc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTailShowsCurrentRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustOpenLog(t, path)
	for i := range 100 {
		_, _ = fmt.Fprintln(l.file, "line", i)
	}
	lines := strings.Split(l.tail(), "\n")
	if first, last := lines[0], lines[len(lines)-1]; len(lines) != tailLines || first != "  line 80" || last != "  line 99" {
		t.Errorf("%d lines from %q to %q", len(lines), first, last)
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpenLog(t, path)
	_, _ = fmt.Fprintln(l.file, "old")
	if err := l.rotate(3); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintln(l.file, "new") // through the descriptor that the server has
	if err := l.rotate(100); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{path, path + ".1"} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = string(content)
	}
	if diff := cmp.Diff(map[string]string{"log": "new\n", "log.1": "old\n"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOpenLogRotatesLongLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxLogSize+1); err != nil {
		t.Fatal(err)
	}
	l := mustOpenLog(t, path)
	if info, err := l.file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the log starts with %d bytes (%v)", info.Size(), err)
	}
}

func mustOpenLog(t *testing.T, path string) *logFile {
	t.Helper()
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}
