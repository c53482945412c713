package deployment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
)

// Postgres is the private Postgres. Its data and its address stay over restarts.
type Postgres struct {
	dir    string
	server *localpg.Server // the last one
}

// Name returns "postgres".
func (p *Postgres) Name() string { return "postgres" }

// Start starts it and waits until it has recovered.
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

// Kill ends all its processes at the same moment, as a loss of power does.
func (p *Postgres) Kill() error {
	return errors.Join(p.signalAll(syscall.SIGSTOP), p.signalAll(syscall.SIGKILL), p.server.Kill())
}

// Pause has all its processes hang.
func (p *Postgres) Pause() error { return p.signalAll(syscall.SIGSTOP) }

// Resume lets them go on.
func (p *Postgres) Resume() error { return p.signalAll(syscall.SIGCONT) }

// Stop stops it in order.
func (p *Postgres) Stop(ctx context.Context) error {
	if p.server == nil {
		return nil
	}
	return errors.Join(p.Resume(), p.server.Stop(ctx))
}

// signalAll sends a signal to the first process, which stops making others, and then to its children.
func (p *Postgres) signalAll(signal syscall.Signal) error {
	select {
	case <-p.server.Done():
		return nil
	default:
	}
	first := p.server.PID()
	if signal == syscall.SIGKILL {
		return send(signal, children(first)...) // the first one is waited for by its own Kill
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

// children returns the processes that one has started.
func children(parent int) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
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

// Redis is the private Redis. Its data and its address stay over restarts.
type Redis struct {
	dir    string
	server *localredis.Server // the last one
}

// Name returns "redis".
func (r *Redis) Name() string { return "redis" }

// Start starts it and waits until it has loaded its data.
func (r *Redis) Start(ctx context.Context) error {
	o := localredis.Options{Dir: filepath.Join(r.dir, "redis"), Logger: slog.New(slog.DiscardHandler)}
	if r.server != nil {
		o.Port, o.Password = r.server.Port(), r.server.Password()
	}
	server, err := localredis.Start(ctx, o)
	if err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	r.server = server
	return nil
}

// Kill ends it as a crash would.
func (r *Redis) Kill() error { return r.server.Kill() }

// Pause has it hang.
func (r *Redis) Pause() error { return r.server.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (r *Redis) Resume() error { return r.server.Signal(syscall.SIGCONT) }

// Stop stops it in order.
func (r *Redis) Stop(ctx context.Context) error {
	if r.server == nil {
		return nil
	}
	return errors.Join(r.Resume(), r.server.Stop(ctx))
}
