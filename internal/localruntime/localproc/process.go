package localproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// stopTimeout limits Stop when its context has no deadline.
	stopTimeout = 30 * time.Second
	// signalReserve is the part of that time that is reserved for each signal after the first.
	signalReserve = 5 * time.Second
)

// Command says what to start.
type Command struct {
	Home    Home
	Program string // must not get secrets as arguments: every user of the machine can read them
	Args    []string
	Log     string         // name of the file in Home that takes stdout and stderr
	OnDeath syscall.Signal // parent-death signal: the kernel sends it to the server when this process dies for any reason
	Release func() error   // releases the home; called when the server has exited or could not be started
}

// Process is a running server.
type Process struct {
	cmd  *exec.Cmd
	log  *logFile
	done chan struct{}
	err  error // valid after done is closed
}

// Start starts a server in its data directory. It runs until Stop, even after ctx ends. The caller must have locked the home
// and stopped any leftover server there.
func (id Identity) Start(ctx context.Context, c Command) (*Process, error) {
	lock, err := c.Home.newServerLock()
	if err != nil {
		return nil, errors.Join(err, c.Release())
	}
	defer lock.close() // the server has its own descriptor
	log, err := openLog(c.Home.File(c.Log))
	if err != nil {
		return nil, errors.Join(err, lock.release(), c.Release())
	}
	p := &Process{log: log, done: make(chan struct{})}
	p.cmd = id.command(context.WithoutCancel(ctx), c.OnDeath, c.Home.Data(), c.Program, c.Args...)
	p.cmd.Stdout, p.cmd.Stderr = log.file, log.file
	p.cmd.ExtraFiles = []*os.File{lock.file}

	started := make(chan error)
	go p.run(started, c.Release)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s as %s: %w", filepath.Base(c.Program), id, errors.Join(err, lock.release()))
	}
	if err := lock.record(p.PID()); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// run starts the server and waits until it exits. The kernel sends the parent-death signal when the thread that started the
// server ends, so this goroutine holds that thread until the server has exited.
func (p *Process) run(started chan<- error, release func() error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		p.log.close()
		started <- errors.Join(err, release())
		return
	}
	started <- nil
	exited := make(chan struct{})
	var rotation sync.WaitGroup
	rotation.Go(func() { p.log.rotateUntil(exited) })
	p.err = p.cmd.Wait()
	close(exited)
	rotation.Wait()
	p.log.close()
	_ = release() // it only closes a file
	close(p.done)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has exited.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err describes how the process exited, with the last lines of its log. It is valid after Done.
func (p *Process) Err() error {
	state := "exit status 0"
	if p.err != nil {
		state = p.err.Error()
	}
	return fmt.Errorf("%s exited (%s); its log %s ends with:\n%s", filepath.Base(p.cmd.Path), state, p.log.path, p.LogTail())
}

// Signal sends a signal. It is not an error if the process has already exited.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", filepath.Base(p.cmd.Path), err)
	}
	return nil
}

// Stop sends the signals in order until the process exits, and finally SIGKILL. It waits after the first signal until
// shortly before the deadline of ctx (stopTimeout without one), and reserves signalReserve for each further signal.
func (p *Process) Stop(ctx context.Context, signals ...os.Signal) error {
	left := stopTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	reserve := min(signalReserve, left/time.Duration(len(signals)+1))
	wait := left - reserve*time.Duration(len(signals))
	for _, signal := range append(slices.Clone(signals), os.Kill) {
		if err := p.Signal(signal); err != nil {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(wait):
		}
		wait = reserve
	}
	<-p.done // SIGKILL cannot be ignored
	return nil
}

// Kill sends SIGKILL, as a crash would, and waits for the exit. The server's children may live a moment longer.
func (p *Process) Kill() error {
	err := p.Signal(os.Kill)
	if err == nil {
		<-p.done
	}
	return err
}

// LogTail returns the last lines logged since the server started.
func (p *Process) LogTail() string { return p.log.tail() }
