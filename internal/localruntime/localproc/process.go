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
	// stopTimeout is what Stop takes for a context without deadline.
	stopTimeout = 30 * time.Second
	// lastResort is kept of that time for each signal after the first.
	lastResort = 5 * time.Second
)

// Command says what to start.
type Command struct {
	Home    Home
	Program string // takes no secret in its arguments: everybody can read them
	Args    []string
	Log     string         // name of the file in Home that takes stdout and stderr
	OnDeath syscall.Signal // sent to the server by the kernel when this process dies, however it dies
	Release func() error   // gives the home up; called when the server has ended, or cannot be started
}

// Process is a running server.
type Process struct {
	cmd  *exec.Cmd
	log  *logFile
	done chan struct{}
	err  error // valid after done is closed
}

// Start starts a server in its data directory, to run until Stop, whatever becomes of ctx. The caller has locked the home
// and stopped what was left behind there.
func (id Identity) Start(ctx context.Context, c Command) (*Process, error) {
	leash, err := c.Home.newLeash()
	if err != nil {
		return nil, errors.Join(err, c.Release())
	}
	defer leash.close() // the server has its own descriptor
	log, err := openLog(c.Home.File(c.Log))
	if err != nil {
		return nil, errors.Join(err, leash.end(), c.Release())
	}
	p := &Process{log: log, done: make(chan struct{})}
	p.cmd = id.command(context.WithoutCancel(ctx), c.OnDeath, c.Home.Data(), c.Program, c.Args...)
	p.cmd.Stdout, p.cmd.Stderr = log.file, log.file
	p.cmd.ExtraFiles = []*os.File{leash.file}

	started := make(chan error)
	go p.run(started, c.Release)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s as %s: %w", filepath.Base(c.Program), id, errors.Join(err, leash.end()))
	}
	if err := leash.record(p.PID()); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// run starts the server and waits for its end. The kernel sends the death signal when the thread that started the
// server ends, so this goroutine keeps that thread until then.
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
	_ = release() // closes a file
	close(p.done)
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
	return fmt.Errorf("%s ended (%s); its log %s ends with:\n%s", filepath.Base(p.cmd.Path), state, p.log.path, p.LogTail())
}

// Signal sends a signal. A process that has ended is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", filepath.Base(p.cmd.Path), err)
	}
	return nil
}

// Stop sends the signals one after the other until the process ends, and kills it in the end. The first signal gets the
// time until the deadline of ctx (30 s without one), apart from a few seconds at the end for each that follows.
func (p *Process) Stop(ctx context.Context, signals ...os.Signal) error {
	left := stopTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	reserve := min(lastResort, left/time.Duration(len(signals)+1))
	patience := left - reserve*time.Duration(len(signals))
	for _, signal := range append(slices.Clone(signals), os.Kill) {
		if err := p.Signal(signal); err != nil {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(patience):
		}
		patience = reserve
	}
	<-p.done // nothing survives a kill
	return nil
}

// Kill ends the process as a crash would, and waits for its end. Children of its own may live a moment longer.
func (p *Process) Kill() error {
	err := p.Signal(os.Kill)
	if err == nil {
		<-p.done
	}
	return err
}

// LogTail returns the last lines that the server has logged since its start.
func (p *Process) LogTail() string { return p.log.tail() }
