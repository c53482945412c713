package localproc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftoverPatience is how long each signal gets to take effect.
const leftoverPatience = 20 * time.Second

// StopLeftover stops a server whose process id is in pidFile and that still works in dir, because its parent was killed a
// moment ago. The caller holds the lock of the directory, so that server has no rightful owner. A stale file, or a process
// id that meanwhile belongs to something else, is left alone.
func StopLeftover(ctx context.Context, logger *slog.Logger, pidFile, dir string, signals ...syscall.Signal) error {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return nil //nolint:nilerr // no file, no server
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !worksIn(pid, dir) {
		return nil //nolint:nilerr // not a live server of ours
	}
	logger.InfoContext(ctx, "stopping a server that was left behind", "pid", pid, "dir", dir)
	for _, signal := range append(slices.Clone(signals), syscall.SIGKILL) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the server that was left behind (process %d): %w", pid, err)
		}
		for deadline := time.Now().Add(leftoverPatience); time.Now().Before(deadline); {
			if !worksIn(pid, dir) {
				return nil
			}
			if err := Pause(ctx, 25*time.Millisecond); err != nil {
				return fmt.Errorf("stop the server that was left behind (process %d): %w", pid, err)
			}
		}
	}
	return fmt.Errorf("the server that was left behind (process %d) does not stop", pid)
}

// worksIn reports whether process pid has dir as its working directory, as both Postgres and Redis do.
func worksIn(pid int, dir string) bool {
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(dir)
	return err == nil && cwd == real
}
