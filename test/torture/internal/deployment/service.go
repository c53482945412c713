package deployment

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

// stopTimeout is how long a service may take to stop in order.
const stopTimeout = 30 * time.Second

// Service is a service of the platform, a process of its own. Its address stays the same over restarts.
type Service struct {
	name, program string
	environ       []string
	url           string
	log           string

	mu      sync.Mutex
	process *process // nil when it is not running
	crashes []string // ends that nobody asked for
}

// process is one run of a service.
type process struct {
	cmd    *exec.Cmd
	asked  bool // somebody has asked it to end; guarded by Service.mu
	exited chan struct{}
}

// Name returns the name of the service.
func (s *Service) Name() string { return s.name }

// URL returns where it answers.
func (s *Service) URL() string { return s.url }

// Start starts the service and does not wait until it is ready: nothing has to start in an order.
func (s *Service) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("start %s: it is running", s.name)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: open its log: %w", s.name, err)
	}
	cmd := exec.CommandContext(context.Background(), s.program)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, log, log
	// A group of its own, so that a Ctrl-C at the terminal reaches this program alone; and nothing outlives this program.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go s.run(p, log, started)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.process = p
	return nil
}

// run starts a process and waits for its end, on one thread: the kernel takes the end of the thread that started it for
// the death of its parent.
func (s *Service) run(p *process, log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer log.Close() //nolint:errcheck // the service writes by itself
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	err := p.cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.asked {
		s.crashes = append(s.crashes, fmt.Sprintf("%s ended by itself: %v; see %s", s.name, err, filepath.Base(s.log)))
	}
	if s.process == p {
		s.process = nil
	}
	close(p.exited)
}

// signal sends a signal and returns the process, or nil if there is none. With end it is not a crash when the process ends.
func (s *Service) signal(signal syscall.Signal, end bool) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	s.process.asked = s.process.asked || end
	if err := s.process.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("send %s to %s: %w", signal, s.name, err)
	}
	return s.process, nil
}

// Kill ends the service as a crash would.
func (s *Service) Kill() error {
	p, err := s.signal(syscall.SIGKILL, true)
	if p != nil {
		<-p.exited
	}
	return err
}

// Pause has the service hang.
func (s *Service) Pause() error {
	_, err := s.signal(syscall.SIGSTOP, false)
	return err
}

// Resume lets it go on.
func (s *Service) Resume() error {
	_, err := s.signal(syscall.SIGCONT, false)
	return err
}

// Stop stops the service in order. That it takes too long is an error.
func (s *Service) Stop(context.Context) error {
	if err := s.Resume(); err != nil {
		return err
	}
	p, err := s.signal(syscall.SIGTERM, true)
	if p == nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s does not stop within %s", s.name, stopTimeout), s.Kill())
	}
}

// Crashes returns the ends that nobody asked for.
func (s *Service) Crashes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.crashes)
}
