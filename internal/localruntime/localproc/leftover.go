package localproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	serverLockName = "server.lock"
	// signalTimeout is how long a leftover server may take to exit after each signal.
	signalTimeout = 20 * time.Second
)

// serverLock is a locked file that a server and all its children inherit. The lock is held while any of them lives, even
// after this process has died. So it shows reliably whether a data directory is in use, which process ids cannot. The file
// contains the id of the server's first process.
type serverLock struct{ file *os.File }

func (h Home) newServerLock() (serverLock, error) {
	file, err := lockFile(string(h), serverLockName)
	if err != nil {
		return serverLock{}, err
	}
	if err := file.Truncate(0); err != nil { // removes the process id of an earlier run
		return serverLock{}, errors.Join(err, file.Close())
	}
	return serverLock{file: file}, nil
}

func (l serverLock) record(pid int) error { return writePID(l.file, pid) }

// release releases the lock when no server was started to hold it.
func (l serverLock) release() error { return unlock(l.file) }

// close closes our descriptor. The server keeps the lock.
func (l serverLock) close() { _ = l.file.Close() }

// StopLeftover stops a server that an earlier process left running in home, and returns when the last process of that
// server has exited. Usually the server has already received its parent-death signal and is shutting down. A server that
// hangs receives the signals in order, and finally SIGKILL.
func StopLeftover(ctx context.Context, logger *slog.Logger, home Home, program string, signals ...syscall.Signal) error {
	return stopLeftover(ctx, logger, home, program, signalTimeout, append(signals, syscall.SIGKILL))
}

func stopLeftover(ctx context.Context, logger *slog.Logger, home Home, program string, timeout time.Duration, signals []syscall.Signal) error {
	for _, signal := range signals {
		locked, err := home.leftover()
		if err != nil || locked == nil {
			return err
		}
		logger.InfoContext(ctx, "stopping a server left running by an earlier process", "program", program, "pid", locked.PID, "signal", signal.String())
		for _, pid := range home.members(program, locked.PID) {
			_ = syscall.Kill(pid, signal) // the server lock shows whether it worked
		}
		gone, err := home.awaitUnlocked(ctx, timeout)
		if err != nil {
			return fmt.Errorf("stop the leftover %s (process %s): %w", program, locked.PID, err)
		}
		if gone {
			return nil
		}
	}
	return fmt.Errorf("the leftover %s in %s does not stop", program, home)
}

// leftover returns the holder of the server lock, or nil if it is free.
func (h Home) leftover() (*LockedError, error) {
	file, err := lockFile(string(h), serverLockName)
	if locked, ok := errors.AsType[*LockedError](err); ok {
		return locked, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, unlock(file)
}

// awaitUnlocked reports whether the server lock became free within the timeout.
func (h Home) awaitUnlocked(ctx context.Context, timeout time.Duration) (bool, error) {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		locked, err := h.leftover()
		if err != nil || locked == nil {
			return err == nil, err
		}
		if err := Pause(ctx, 25*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

// members returns the processes of a server: the first one, if it still lives, and the children that outlived it. It
// compares the name of the program, because another program may have reused the process id. The kernel may hide the
// working directory of other users' processes (in most containers even from root); then only the first process is found.
func (h Home) members(program, first string) []int {
	data, _ := filepath.EvalSymlinks(h.Data()) // without the directory, no process works there
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	var members []int
	for _, name := range names {
		process := filepath.Dir(name)
		comm, err := os.ReadFile(name)
		if err != nil || string(bytes.TrimSpace(comm)) != program {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(process, "cwd"))
		pid, err := strconv.Atoi(filepath.Base(process))
		if err == nil && (filepath.Base(process) == first || cwd != "" && cwd == data) {
			members = append(members, pid)
		}
	}
	return members
}
