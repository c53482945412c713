// Package process starts the programs that are measured and reads from /proc what they use.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
)

// Command says what to start.
type Command struct {
	Program string
	Args    []string
	Dir     string   // working directory; the caller's if empty
	Environ []string // NAME=value
	Log     string   // file for its output
}

// Process is a running program.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// stopPatience is how long a process may take to stop when asked to.
const stopPatience = 15 * time.Second

// Start starts a program. Its end is the caller's to ask for by Stop, not that of any context.
func Start(c Command) (*Process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	cmd := exec.CommandContext(context.Background(), c.Program, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Environ, log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Program, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // one that ends early is seen by its silence
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop ends the process and waits for it: asked first, then by force.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopPatience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// FreeAddress returns a loopback address on which nobody listens.
func FreeAddress(ctx context.Context) (string, error) {
	port, err := localproc.FreePort(ctx)
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return "127.0.0.1:" + strconv.Itoa(port), nil
}
