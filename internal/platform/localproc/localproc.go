// Package localproc starts the database programs that a laptop or a test runs privately: as an unprivileged user, tied to
// the life of this process, and on a free port of the loopback interface.
package localproc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity is the operating system user that servers run as. The zero Identity is the present user.
type Identity struct {
	uid, gid uint32
	switches bool
}

// Unprivileged returns the user to run servers as: the present one, unless that is root. PostgreSQL refuses to run as
// root, and nothing needs it. For root it is the first of the given users that exists, else nobody.
func Unprivileged(names ...string) (Identity, error) {
	if os.Geteuid() != 0 {
		return Identity{}, nil
	}
	for _, name := range append(names, "nobody") {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return Identity{}, fmt.Errorf("ids of user %s: %w", name, err)
		}
		return Identity{uid: uint32(uid), gid: uint32(gid), switches: true}, nil
	}
	return Identity{}, fmt.Errorf("running as root, and none of the users %v exists to run servers as", names)
}

// attributes returns how a child of this identity is started: in a process group of its own, so that a Ctrl-C at the
// terminal reaches us and not the databases, which must outlive their users.
func (id Identity) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if id.switches {
		attr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
	return attr
}

// MakeDir creates dir for the identity alone and returns where it really is. A directory below one that the identity
// cannot enter (a clone in /root) is made elsewhere, below fallback, and a file "location" in dir says where.
func (id Identity) MakeDir(dir, fallback string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // what matters is inside, with a mode of its own
		return "", fmt.Errorf("data directory: %w", err)
	}
	place := filepath.Join(dir, "data")
	if id.switches && !id.canEnter(dir) {
		place = filepath.Join(fallback, strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-"))
		if err := os.MkdirAll(fallback, 0o755); err != nil { //nolint:gosec // likewise
			return "", fmt.Errorf("data directory: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "location"), []byte(place+"\n"), 0o644); err != nil { //nolint:gosec // no secret
			return "", fmt.Errorf("data directory: %w", err)
		}
	}
	if err := os.Mkdir(place, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if id.switches {
		if err := os.Chown(place, int(id.uid), int(id.gid)); err != nil {
			return "", fmt.Errorf("data directory: %w", err)
		}
	}
	return place, nil
}

// canEnter reports whether the identity may pass through dir and everything above it.
func (id Identity) canEnter(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		bit := uint32(0o001)
		switch {
		case stat.Uid == id.uid:
			bit = 0o100
		case stat.Gid == id.gid:
			bit = 0o010
		}
		if uint32(info.Mode().Perm())&bit == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// WriteFile writes a file that only the identity can read.
func (id Identity) WriteFile(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err //nolint:wrapcheck // names the path already
	}
	if id.switches {
		return os.Chown(path, int(id.uid), int(id.gid)) //nolint:wrapcheck // likewise
	}
	return nil
}

// Run runs a program to its end as the identity and returns its output with the error.
func (id Identity) Run(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = id.attributes()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, output)
	}
	return nil
}

// FreePort returns a TCP port of the loopback interface that nothing listens on. Another process can take it before it
// is used; callers try again with another.
func FreePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close() //nolint:errcheck // it was only to find the number
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: %s is no TCP address", listener.Addr())
	}
	return addr.Port, nil
}

// Process is a running server.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // valid after done is closed
}

// Command says what to start.
type Command struct {
	Program string
	Args    []string
	Dir     string
	Log     string         // file that takes stdout and stderr; that of the run before is kept beside it
	OnDeath syscall.Signal // sent to the server by the kernel when this process dies, however it dies
}

// Start starts a server.
func (id Identity) Start(c Command) (*Process, error) {
	if err := os.Rename(c.Log, c.Log+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("keep the log of the run before: %w", err)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()                                                                             //nolint:errcheck // the child has its own descriptor
	p := &Process{cmd: exec.Command(c.Program, c.Args...), log: c.Log, done: make(chan struct{})} //nolint:noctx // lives until Stop
	p.cmd.Dir = c.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = id.attributes()
	p.cmd.SysProcAttr.Pdeathsig = c.OnDeath

	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread that started the child ends, so this thread must last as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Program), err)
	}
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended, with the end of its log. It is valid after Done.
func (p *Process) Err() error {
	state := "exit status 0"
	if p.err != nil {
		state = p.err.Error()
	}
	return fmt.Errorf("%s ended (%s); its log ends with:\n%s", filepath.Base(p.cmd.Path), state, p.LogTail())
}

// Signal sends a signal. A process that has ended is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", filepath.Base(p.cmd.Path), err)
	}
	return nil
}

// Stop sends the signals one after the other until the process ends, each with an equal share of the time that ctx
// leaves (of 30 s if it has no deadline), and kills it in the end.
func (p *Process) Stop(ctx context.Context, signals ...os.Signal) error {
	left := 30 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	share := left / time.Duration(len(signals)+1)
	for _, signal := range append(slices.Clone(signals), os.Kill) {
		if err := p.Signal(signal); err != nil {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(share):
		}
	}
	<-p.done // nothing survives a kill
	return nil
}

// LogTail returns the last lines of the server's log.
func (p *Process) LogTail() string {
	file, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer file.Close() //nolint:errcheck // only read
	const keep = 12
	var lines []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if lines = append(lines, "  "+scanner.Text()); len(lines) > keep {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// Pause waits for d or until ctx ends, whose cause it then returns.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
