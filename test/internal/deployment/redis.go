package deployment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
)

// Redis is a private Redis. It keeps its data and its address when it is restarted.
type Redis struct {
	dir    string
	server *localredis.Server // of the current or the last run
}

// Name returns "redis".
func (r *Redis) Name() string { return "redis" }

// URL returns the URL of the server.
func (r *Redis) URL() string { return r.server.URL() }

// PID returns the process id of the server.
func (r *Redis) PID() int { return r.server.PID() }

// Start starts the server and waits until it has loaded its data.
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

// Kill ends the server as a crash does.
func (r *Redis) Kill() error { return r.server.Kill() }

// Pause freezes the server.
func (r *Redis) Pause() error { return r.server.Signal(syscall.SIGSTOP) }

// Resume lets a paused server continue.
func (r *Redis) Resume() error { return r.server.Signal(syscall.SIGCONT) }

// Stop shuts the server down.
func (r *Redis) Stop(ctx context.Context) error {
	if r.server == nil {
		return nil
	}
	return errors.Join(r.Resume(), r.server.Stop(ctx))
}
