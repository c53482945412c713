package localproc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LockedError reports that another process has locked a directory.
type LockedError struct {
	Dir string
	PID string // of the holder; empty if unknown
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is in use by another HP Analytics (process %s): stop that one, or choose another DATA_DIR", e.Dir, e.PID)
}

// Lock locks dir for this process. It fails with a LockedError when another process holds the lock. The kernel releases the
// lock when the process exits for any reason, so there are no stale locks.
func Lock(dir string) (release func() error, err error) {
	file, err := lockFile(dir, "lock")
	if err != nil {
		return nil, err
	}
	if err := writePID(file, os.Getpid()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error { return unlock(file) }, nil
}

// lockFile opens and locks a file in dir. The lock is held as long as the file is open. Children inherit the descriptor only
// if it is passed to them explicitly.
func lockFile(dir, name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // holds a process id
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	holder, _ := os.ReadFile(file.Name()) // for the message only
	closeErr := file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &LockedError{Dir: dir, PID: strings.TrimSpace(string(holder))}
	}
	return nil, fmt.Errorf("lock the data directory: %w", errors.Join(err, closeErr))
}

// unlock releases a lock at once. Closing the file is not enough: a child between fork and exec still holds a copy of the
// descriptor.
func unlock(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

func writePID(file *os.File, pid int) error {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(pid)+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	return nil
}
