package deployment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// processStopTimeout bounds the orderly stop of a process.
const processStopTimeout = 30 * time.Second

// Command says how to run a program.
type Command struct {
	Program string
	Args    []string
	Dir     string   // working directory; that of this process if empty
	Environ []string // NAME=value
	Log     string   // file to which the output is appended
}

// Process is a program that can be started more than once.
type Process struct {
	command Command

	mu      sync.Mutex
	run     *run     // nil while it does not run
	crashes []string // exits that were not requested
}

// run is one run of the program.
type run struct {
	cmd       *exec.Cmd
	requested bool // the exit was requested; guarded by Process.mu
	exited    chan struct{}
}

// NewProcess returns a process that does not run yet.
func NewProcess(c Command) *Process { return &Process{command: c} }

// Name returns the name of the program.
func (p *Process) Name() string { return filepath.Base(p.command.Program) }

// Start starts the program. It does not wait until the program is ready: services may start in any order.
func (p *Process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		return fmt.Errorf("start %s: it is running", p.Name())
	}
	log, err := os.OpenFile(p.command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: open its log: %w", p.Name(), err)
	}
	cmd := exec.CommandContext(context.Background(), p.command.Program, p.command.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.command.Dir, p.command.Environ, log, log
	// In a process group of its own, so that Ctrl-C in a terminal reaches only this program, which stops the others in
	// order; and killed by the kernel when this program dies.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r := &run{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.wait(r, log, started)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.Name(), err)
	}
	p.run = r
	return nil
}

// wait starts a run and waits for its exit on the same OS thread, because Pdeathsig fires when the thread that started the
// child exits.
func (p *Process) wait(r *run, log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer log.Close() //nolint:errcheck // the child has a descriptor of its own
	if err := r.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	err := r.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.requested {
		p.crashes = append(p.crashes, fmt.Sprintf("%s exited unexpectedly: %v; see %s", p.Name(), err, filepath.Base(p.command.Log)))
	}
	if p.run == r {
		p.run = nil
	}
	close(r.exited)
}

// signal sends a signal to the current run and returns it, or nil if there is none. With exit, the following exit counts
// as requested.
func (p *Process) signal(signal syscall.Signal, exit bool) (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return nil, nil //nolint:nilnil // nothing runs
	}
	p.run.requested = p.run.requested || exit
	if err := p.run.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("send %s to %s: %w", signal, p.Name(), err)
	}
	return p.run, nil
}

// Running reports whether the program runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run != nil
}

// PID returns the process id, or 0 if the program does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.cmd.Process.Pid
}

// Kill ends the program as a crash does, and waits until it is gone.
func (p *Process) Kill() error {
	r, err := p.signal(syscall.SIGKILL, true)
	if r != nil {
		<-r.exited
	}
	return err
}

// Pause freezes the program.
func (p *Process) Pause() error {
	_, err := p.signal(syscall.SIGSTOP, false)
	return err
}

// Resume lets a paused program continue.
func (p *Process) Resume() error {
	_, err := p.signal(syscall.SIGCONT, false)
	return err
}

// Stop asks the program to exit and waits for it. A program that takes too long is killed, which is an error.
func (p *Process) Stop() error {
	if err := p.Resume(); err != nil {
		return err
	}
	r, err := p.signal(syscall.SIGTERM, true)
	if r == nil {
		return err
	}
	select {
	case <-r.exited:
		return nil
	case <-time.After(processStopTimeout):
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.Name(), processStopTimeout), p.Kill())
	}
}

// Crashes describes every exit that was not requested.
func (p *Process) Crashes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.crashes)
}

// FreeAddress returns a loopback address that nothing listens on.
func FreeAddress(ctx context.Context) (string, error) {
	port, err := localproc.FreePort(ctx)
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}
