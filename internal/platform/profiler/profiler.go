// Package profiler serves the profiles of a process (CPU, heap, goroutines, locks) in the format of `go tool pprof`, on an
// address of their own and only when asked to: they slow the process down and show what it is doing.
package profiler

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof" // it registers itself in http.DefaultServeMux as well, which nothing here serves
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
)

// Config says where the profiles are served.
type Config struct {
	// Addr is a loopback address, such as 127.0.0.1:6060; empty serves none. From elsewhere it is reached through a
	// tunnel (ssh -L, kubectl port-forward), because profiles are for operators only and nobody is asked for a password.
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

// longest bounds how long a profile may be taken.
const longest = 5 * time.Minute

// Component serves the profiles, or nothing if there is no address.
func Component(cfg Config, logger *slog.Logger) lifecycle.Component {
	return lifecycle.Component{Name: "profiler", Run: func(ctx context.Context, ready func()) error {
		if cfg.Addr == "" {
			ready()
			<-ctx.Done()
			return nil
		}
		server := httpserver.Config{Addr: cfg.Addr, ReadTimeout: time.Second, WriteTimeout: longest, IdleTimeout: longest, ShutdownTimeout: longest}
		listener, err := httpserver.Listen(ctx, server)
		if err != nil {
			return err
		}
		logger.InfoContext(ctx, "profiles are served", "url", "http://"+listener.Addr().String()+"/debug/pprof/")
		return httpserver.Component(listener, server, routes(ctx), logger).Run(ctx, ready)
	}}
}

// routes ends a profile under way when the process stops: nobody waits for it.
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
