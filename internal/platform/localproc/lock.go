package localproc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// LockedError says that another process holds a directory.
type LockedError struct {
	Dir string
	PID string // of the holder, as far as it is known
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is in use by another HP Analytics (process %s): stop that one, or choose another DATA_DIR", e.Dir, e.PID)
}

// Lock takes dir for this process, and fails with a LockedError when another has it. The kernel drops the lock with the
// process, however it ends, so there are no stale locks.
func Lock(dir string) (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // holds a process id
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(file.Name()) // for the message only
		closeErr := file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Dir: dir, PID: strings.TrimSpace(string(holder))}
		}
		return nil, fmt.Errorf("lock the data directory: %w", errors.Join(err, closeErr))
	}
	if err := errors.Join(file.Truncate(0), writePID(file)); err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", errors.Join(err, file.Close()))
	}
	return file.Close, nil
}

func writePID(file *os.File) error {
	_, err := fmt.Fprintln(file, os.Getpid())
	return err //nolint:wrapcheck // the caller says what for
}
