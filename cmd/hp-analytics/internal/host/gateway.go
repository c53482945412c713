package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/web"
	"github.com/hp-analytics/hp-analytics/web/tracker"
)

// gateway puts the services behind one port, with the same routes as the nginx configuration and the Ingress: the first
// segment of the path names the service. Each service has its own middleware. The gateway adds
// only the endpoints that belong to no single service, so a request passes one set of middleware, as it does when each
// service is a process of its own.
type gateway struct {
	services map[string]http.Handler // by first path segment
	own      http.Handler            // operational endpoints, documentation, and 404 for other paths
}

func newGateway(cfg httpserver.Config, logger *slog.Logger, registry *prometheus.Registry, tracing trace.TracerProvider, services []hosted) (*gateway, *httpserver.Health) {
	g := &gateway{services: map[string]http.Handler{}}
	var checks []httpserver.Check
	for _, h := range services {
		checks = append(checks, readiness(h))
		routes := h.service.Routes()
		for _, segment := range h.segments {
			g.services[segment] = routes
		}
	}
	health := httpserver.NewHealth(logger, checks...)
	own := httpserver.NewRouter(httpserver.RouterOptions{
		Config:         cfg,
		Logger:         logger,
		Registerer:     prometheus.WrapRegistererWith(prometheus.Labels{"service": "gateway"}, registry),
		Gatherer:       registry,
		TracerProvider: tracing,
		Health:         health,
	})
	openapi.Mount(own)
	web.Mount(own)
	tracker.Mount(own)
	g.own = own
	return g, health
}

// ServeHTTP implements http.Handler.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if service, ok := g.services[segment]; ok {
		service.ServeHTTP(w, r)
		return
	}
	if segment == "metrics" && !fromThisMachine(r) {
		problem.Write(w, r, errLocalOnly)
		return
	}
	g.own.ServeHTTP(w, r)
}

var errLocalOnly = errs.New(errs.Forbidden, "local_only", "Metrics are for this machine only: they show who uses the platform, and how much.")

// fromThisMachine reports whether the client is on this machine. What a proxy passes on may come from anywhere.
func fromThisMachine(r *http.Request) bool {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && client.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

// readiness combines all checks of a service into one.
func readiness(h hosted) httpserver.Check {
	return httpserver.Check{Name: h.name, Run: func(ctx context.Context) error {
		if state, ok := h.service.Health().Ready(ctx); !ok {
			return errors.New(h.name + " is " + state.Status)
		}
		return nil
	}}
}
