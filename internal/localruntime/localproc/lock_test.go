package localproc_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

func TestLockRefusesSecondHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := localproc.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = localproc.Lock(dir)
	locked, ok := errors.AsType[*localproc.LockedError](err)
	if !ok || locked.Dir != dir || locked.PID != strconv.Itoa(os.Getpid()) {
		t.Fatalf("want an error that names %s and this process, got %v", dir, err)
	}
	if text := err.Error(); !strings.Contains(text, dir) || !strings.Contains(text, locked.PID) {
		t.Errorf("the text does not name both: %s", text)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = localproc.Lock(dir)
	if err != nil {
		t.Fatalf("lock after a release: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestLockEndsWithProcess(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	owner, _ := startOwner(t, home)
	_, err := localproc.Lock(string(home))
	locked, ok := errors.AsType[*localproc.LockedError](err)
	if !ok || locked.PID != strconv.Itoa(owner.Pid) {
		t.Fatalf("want an error that names process %d, got %v", owner.Pid, err)
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lock of a killed process is free", func() bool {
		release, err := localproc.Lock(string(home))
		return err == nil && release() == nil
	})
}

func TestLockNeedsDirectory(t *testing.T) {
	t.Parallel()
	if _, err := localproc.Lock("/nonexistent/directory"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want fs.ErrNotExist, got %v", err)
	}
}
