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

const leashName = "server.lock"

// leash is a locked file that a server and all its children inherit. While one of them lives, the lock is held, whatever
// became of us; so it tells, without guessing from process ids, whether a data directory is in use. The file names the
// server's first process.
type leash struct{ file *os.File }

func (h Home) newLeash() (leash, error) {
	file, err := lockFile(string(h), leashName)
	if err != nil {
		return leash{}, err
	}
	if err := file.Truncate(0); err != nil { // a process id of an earlier run
		return leash{}, errors.Join(err, file.Close())
	}
	return leash{file: file}, nil
}

func (l leash) record(pid int) error { return writePID(l.file, pid) }

// end gives the lock up where no server came to have it.
func (l leash) end() error { return unlock(l.file) }

// close gives up our descriptor. The lock stays with the server.
func (l leash) close() { _ = l.file.Close() }

// StopLeftover ends a server that an earlier process left behind in a home, and returns when the last process of that
// server is gone. Usually it is on its way out already, by its death signal; one that hangs gets the signals one after
// the other, and SIGKILL in the end.
func StopLeftover(ctx context.Context, logger *slog.Logger, home Home, program string, signals ...syscall.Signal) error {
	return stopLeftover(ctx, logger, home, program, 20*time.Second, append(signals, syscall.SIGKILL))
}

func stopLeftover(ctx context.Context, logger *slog.Logger, home Home, program string, patience time.Duration, signals []syscall.Signal) error {
	for _, signal := range signals {
		locked, err := home.leftover()
		if err != nil || locked == nil {
			return err
		}
		logger.InfoContext(ctx, "stopping a server that was left behind", "program", program, "pid", locked.PID, "signal", signal.String())
		for _, pid := range home.members(program, locked.PID) {
			_ = syscall.Kill(pid, signal) // if it does not arrive, the leash will tell
		}
		gone, err := home.awaitNone(ctx, patience)
		if err != nil {
			return fmt.Errorf("stop the %s that was left behind (process %s): %w", program, locked.PID, err)
		}
		if gone {
			return nil
		}
	}
	return fmt.Errorf("the %s that was left behind in %s does not stop", program, home)
}

// leftover says who holds the leash; nil is nobody.
func (h Home) leftover() (*LockedError, error) {
	file, err := lockFile(string(h), leashName)
	if locked, ok := errors.AsType[*LockedError](err); ok {
		return locked, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, unlock(file)
}

// awaitNone reports whether nobody held the leash before patience was over.
func (h Home) awaitNone(ctx context.Context, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
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

// members returns the processes of a server: the first one, if it still lives, and those that outlive it. What a process
// runs is compared, because its id may meanwhile belong to something else. The kernel may hide from us where another
// user's process works (it does so from root in most containers); then the first process is all there is to find.
func (h Home) members(program, first string) []int {
	data, _ := filepath.EvalSymlinks(h.Data()) // if it is gone, so are they
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
