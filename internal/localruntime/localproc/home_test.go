package localproc_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

const probe = "/bin/ls"

// identity returns the user of servers, and whether it differs from the current user. It only differs for root.
func identity(t *testing.T) (id localproc.Identity, other bool) {
	t.Helper()
	id, err := localproc.Unprivileged("postgres")
	if err != nil {
		t.Fatal(err)
	}
	return id, os.Geteuid() == 0
}

// closedDir returns a path below a directory that only the current user can access.
func closedDir(t *testing.T) string {
	t.Helper()
	parent := filepath.Join(enterableDir(t), "closed")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(parent, "postgres")
}

func TestHomeIsAccessibleDirectory(t *testing.T) {
	t.Parallel()
	id, _ := identity(t)
	dir := filepath.Join(enterableDir(t), "new", "postgres")
	home, err := id.Home(t.Context(), dir, "/nonexistent", probe)
	if err != nil || string(home) != dir {
		t.Fatalf("home is %s (%v), want %s", home, err, dir)
	}
	if err := id.MakeData(home); err != nil {
		t.Fatal(err)
	}
	if err := id.Run(t.Context(), home.Data(), "/bin/sh", "-c", "touch file"); err != nil {
		t.Errorf("the server cannot write in its data directory: %v", err)
	}
	err = id.Run(t.Context(), home.Data(), "/bin/sh", "-c", "touch ../file")
	if _, other := identity(t); other && err == nil {
		t.Error("the server can write outside its data directory")
	}
}

func TestHomeFallsBackWithoutAccess(t *testing.T) {
	t.Parallel()
	id, other := identity(t)
	dir, fallback := closedDir(t), filepath.Join(enterableDir(t), "fallback")
	home, err := id.Home(t.Context(), dir, fallback, probe)
	if err != nil {
		t.Fatal(err)
	}
	if !other {
		if string(home) != dir {
			t.Errorf("home of the accessible %s is %s", dir, home)
		}
		return
	}
	if !strings.HasPrefix(string(home), fallback+"/") {
		t.Fatalf("home is %s, want one below %s", home, fallback)
	}
	if location, err := os.ReadFile(filepath.Join(dir, "location")); err != nil || string(location) != string(home)+"\n" {
		t.Errorf("the location says %q (%v), want %s", location, err, home)
	}
	if err := id.MakeData(home); err != nil {
		t.Fatal(err)
	}
	if err := id.Run(t.Context(), home.Data(), probe); err != nil {
		t.Errorf("the server cannot access its data directory: %v", err)
	}

	if another, err := id.Home(t.Context(), closedDir(t), fallback, probe); err != nil || another == home {
		t.Errorf("two directories have the same fallback %s (%v)", another, err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if again, err := id.Home(t.Context(), dir, "/nonexistent", probe); err != nil || again != home {
		t.Errorf("home is %s (%v), want the recorded %s, which has the data", again, err, home)
	}
}

func TestHomeKeepsInaccessibleData(t *testing.T) {
	t.Parallel()
	id, other := identity(t)
	dir := closedDir(t)
	if err := os.MkdirAll(localproc.Home(dir).Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	home, err := id.Home(t.Context(), dir, filepath.Join(enterableDir(t), "fallback"), probe)
	if refused := err != nil && strings.Contains(err.Error(), "can no longer access "+dir); refused != other {
		t.Errorf("home of a directory with inaccessible data: %s, %v", home, err)
	}
}

func TestHomeReportsMissingLocation(t *testing.T) {
	t.Parallel()
	id, _ := identity(t)
	dir := enterableDir(t)
	location := filepath.Join(dir, "location")
	if err := os.WriteFile(location, []byte("/nonexistent/place\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := id.Home(t.Context(), dir, "/nonexistent", probe)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/place") || !strings.Contains(err.Error(), location) {
		t.Errorf("want an error that names both places, got %v", err)
	}
}

func TestMakeDataTakesOwnership(t *testing.T) {
	t.Parallel()
	id, other := identity(t)
	home := localproc.Home(enterableDir(t))
	inside := filepath.Join(home.Data(), "base", "file")
	if err := os.MkdirAll(filepath.Dir(inside), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(inside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := id.MakeData(home); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(inside)
	if err != nil {
		t.Fatal(err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && other == (stat.Uid == 0) {
		t.Errorf("the file belongs to user %d", stat.Uid)
	}
}
