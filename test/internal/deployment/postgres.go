package deployment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
)

// Postgres is a private, durable Postgres. It keeps its data and its address when it is restarted.
type Postgres struct {
	dir    string
	server *localpg.Server // of the current or the last run
}

// Name returns "postgres".
func (p *Postgres) Name() string { return "postgres" }

// URL returns the URL of the database.
func (p *Postgres) URL() string { return p.server.URL() }

// Address returns the host and port of the server.
func (p *Postgres) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.server.Port()))
}

// PID returns the process id of the server's first process.
func (p *Postgres) PID() int { return p.server.PID() }

// Start starts the server and waits until it has recovered.
func (p *Postgres) Start(ctx context.Context) error {
	o := localpg.Options{Dir: filepath.Join(p.dir, "postgres"), Logger: slog.New(slog.DiscardHandler)}
	if p.server != nil {
		o.Port = p.server.Port()
	}
	server, err := localpg.Start(ctx, o)
	if err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	p.server = server
	return nil
}

// Kill ends all processes of the server at the same moment, as a power failure does.
func (p *Postgres) Kill() error {
	return errors.Join(p.signalAll(syscall.SIGSTOP), p.signalAll(syscall.SIGKILL), p.server.Kill())
}

// Pause freezes all processes of the server.
func (p *Postgres) Pause() error { return p.signalAll(syscall.SIGSTOP) }

// Resume lets a paused server continue.
func (p *Postgres) Resume() error { return p.signalAll(syscall.SIGCONT) }

// Stop shuts the server down.
func (p *Postgres) Stop(ctx context.Context) error {
	if p.server == nil {
		return nil
	}
	return errors.Join(p.Resume(), p.server.Stop(ctx))
}

// signalAll signals the first process, which then starts no others, and after it the children.
func (p *Postgres) signalAll(signal syscall.Signal) error {
	select {
	case <-p.server.Done():
		return nil
	default:
	}
	first := p.server.PID()
	if signal == syscall.SIGKILL {
		return send(signal, children(first)...) // Server.Kill kills the first process and waits for it
	}
	return errors.Join(send(signal, first), send(signal, children(first)...))
}

func send(signal syscall.Signal, pids ...int) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %s to process %d: %w", signal, pid, err)
		}
	}
	return nil
}

// children returns the child processes of a process.
func children(parent int) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just exited
		}
		// The name, in parentheses, may hold anything; the parent is the second field after it (proc(5)).
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // a number by the pattern
			pids = append(pids, pid)
		}
	}
	return slices.Clip(pids)
}
