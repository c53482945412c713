// Package httpserver is the HTTP side of a service: a router with the common middleware (recovery, request id, trace,
// access log, metrics, deadline), the operational endpoints, and a server that drains on shutdown.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
)

// Config is the listen address and the timeouts of a server.
type Config struct {
	// Addr is the listen address, host:port; an empty host means all interfaces, port 0 any free port.
	Addr string `env:"HTTP_ADDR, default=:8080"`
	// ReadTimeout bounds reading one request, body included. If it is too short, large bodies on slow links fail.
	ReadTimeout time.Duration `env:"HTTP_READ_TIMEOUT, default=30s"`
	// WriteTimeout bounds one request from the end of its header to the end of the response.
	WriteTimeout time.Duration `env:"HTTP_WRITE_TIMEOUT, default=60s"`
	// IdleTimeout closes idle keep-alive connections. It must be longer than the idle timeout of the proxy in front, or the
	// proxy occasionally sends a request into a closing connection.
	IdleTimeout time.Duration `env:"HTTP_IDLE_TIMEOUT, default=120s"`
	// RequestTimeout is the deadline of a handler. A request that exceeds it is answered with 503.
	RequestTimeout time.Duration `env:"HTTP_REQUEST_TIMEOUT, default=20s"`
	// ShutdownTimeout is how long requests in flight may take to finish when the process stops.
	ShutdownTimeout time.Duration `env:"HTTP_SHUTDOWN_TIMEOUT, default=15s"`
	// AccessLog selects the requests that are logged: all, errors (status 400 and above) or none.
	AccessLog string `env:"HTTP_ACCESS_LOG, default=all"`
	// TrustedProxyHops is the number of proxies in front that append to X-Forwarded-For. The address of the client is that
	// many entries from the end. 0 ignores the header: clients connect directly. If it is too large, clients can forge their
	// address and evade rate limits; if it is too small, all clients share the limits of the proxy.
	TrustedProxyHops int `env:"HTTP_TRUSTED_PROXY_HOPS, default=0"`
	// MaxRequestsPerAddress bounds the requests of one client network (an IPv4 address, an IPv6 /64) that a service works on at
	// the same time; further ones are answered with 429. It protects a service without a gateway that does so. If it is too
	// small, clients behind one address, such as an office or another proxy, hinder each other. 0 means no limit.
	MaxRequestsPerAddress int `env:"HTTP_MAX_REQUESTS_PER_ADDRESS, default=1000"`
	// BasePath is the prefix of the paths of requests, such as /shop/api, when the API is published under it by a proxy that
	// does not remove it. A trusted proxy that removes the prefix needs no setting here, but has to name it in
	// X-Forwarded-Prefix. Without either, links in Location headers lead to the root of the host.
	BasePath string `env:"HTTP_BASE_PATH"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if err := checkAddr(c.Addr); err != nil {
		problems = append(problems, fmt.Errorf("HTTP_ADDR: %w (use host:port, [::1]:port or :port)", err))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"HTTP_READ_TIMEOUT", c.ReadTimeout},
		{"HTTP_WRITE_TIMEOUT", c.WriteTimeout},
		{"HTTP_IDLE_TIMEOUT", c.IdleTimeout},
		{"HTTP_REQUEST_TIMEOUT", c.RequestTimeout},
		{"HTTP_SHUTDOWN_TIMEOUT", c.ShutdownTimeout},
	} {
		if d.value <= 0 {
			problems = append(problems, fmt.Errorf("%s: must be positive, not %s", d.name, d.value))
		}
	}
	if c.AccessLog != "all" && c.AccessLog != "errors" && c.AccessLog != "none" {
		problems = append(problems, fmt.Errorf("HTTP_ACCESS_LOG: must be all, errors or none, not %q", c.AccessLog))
	}
	if c.MaxRequestsPerAddress < 0 {
		problems = append(problems, fmt.Errorf("HTTP_MAX_REQUESTS_PER_ADDRESS: must not be negative, not %d", c.MaxRequestsPerAddress))
	}
	if c.TrustedProxyHops < 0 {
		problems = append(problems, fmt.Errorf("HTTP_TRUSTED_PROXY_HOPS: must not be negative, not %d", c.TrustedProxyHops))
	}
	if c.BasePath != "" && !sanePrefix.MatchString(c.BasePath) {
		problems = append(problems, fmt.Errorf("HTTP_BASE_PATH: must be a path such as /shop/api, without a slash at its end, not %q", c.BasePath))
	}
	return errors.Join(problems...)
}

func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port must be between 0 and 65535, not %q", port)
	}
	return config.CheckHost(host)
}

// maxHeaderBytes bounds the header of a request. The longest legitimate field is an access token.
const maxHeaderBytes = 16 << 10

// Listen opens the listener. Call it before anything else starts, so that a port in use is detected first and early clients
// wait in the accept queue instead of being refused.
func Listen(ctx context.Context, cfg Config) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Addr, err)
	}
	return listener, nil
}

// Component serves handler on listener until it is stopped, and then finishes the requests in flight.
func Component(listener net.Listener, cfg Config, handler http.Handler, logger *slog.Logger) lifecycle.Component {
	stopping := make(chan struct{})
	server := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return withStopping(context.Background(), stopping) },
		Handler:           published(handler, cfg.BasePath, cfg.TrustedProxyHops > 0),
		ReadHeaderTimeout: min(5*time.Second, cfg.ReadTimeout),
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	run := func(ctx context.Context, ready func()) error {
		served := make(chan error, 1)
		go func() { served <- server.Serve(wholeListener{listener}) }()
		ready()
		select {
		case err := <-served:
			return fmt.Errorf("serve %s: %w", listener.Addr(), err)
		case <-ctx.Done():
		}
		close(stopping) // streams end first: Shutdown waits for them
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		err := server.Shutdown(stopCtx)
		if err != nil {
			err = errors.Join(fmt.Errorf("requests still in flight after %s: %w", cfg.ShutdownTimeout, err), server.Close())
		}
		if served := <-served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve %s: %w", listener.Addr(), served))
		}
		return err
	}
	return lifecycle.Component{Name: "http " + listener.Addr().String(), Run: run, StopTimeout: cfg.ShutdownTimeout + time.Second}
}
