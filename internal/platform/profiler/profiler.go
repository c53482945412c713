// Package profiler serves the profiles of a process (CPU, heap, goroutines, locks) in the format of `go tool pprof`. They have
// their own address and are off by default, because they slow the process down and reveal internals.
package profiler

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof" // also registers in http.DefaultServeMux, which is not served
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
)

// Config sets the address of the profiles.
type Config struct {
	// Addr is a loopback address, such as 127.0.0.1:6060. Empty disables profiles. There is no authentication, so access from
	// another machine needs a tunnel (ssh -L, kubectl port-forward).
	Addr string `env:"PPROF_ADDR"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.Addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("PPROF_ADDR: %w (use 127.0.0.1:port)", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("PPROF_ADDR: must be a loopback address such as 127.0.0.1:6060, not %s", c.Addr)
	}
	return nil
}

// maxDuration limits the duration of a profile.
const maxDuration = 5 * time.Minute

// Component serves the profiles. It does nothing if no address is set.
func Component(cfg Config, logger *slog.Logger) lifecycle.Component {
	return lifecycle.Component{Name: "profiler", Run: func(ctx context.Context, ready func()) error {
		if cfg.Addr == "" {
			ready()
			<-ctx.Done()
			return nil
		}
		server := httpserver.Config{Addr: cfg.Addr, ReadTimeout: time.Second, WriteTimeout: maxDuration, IdleTimeout: maxDuration, ShutdownTimeout: maxDuration}
		listener, err := httpserver.Listen(ctx, server)
		if err != nil {
			return err
		}
		logger.InfoContext(ctx, "serving profiles", "url", "http://"+listener.Addr().String()+"/debug/pprof/")
		return httpserver.Component(listener, server, routes(ctx), logger).Run(ctx, ready)
	}}
}

// routes cancels a running profile when the process stops, so that it does not delay the shutdown.
func routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // heap, goroutine, allocs, block, mutex, threadcreate as well
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		mux.ServeHTTP(w, r.WithContext(request))
	})
}
