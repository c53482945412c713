// Package service hosts services: the contract between a service and its process, and the main function of a process
// that hosts one. Package frame builds services that use Postgres and Redis.
package service

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

// Service is what a process can host. Building one opens no connection, so it can start before its dependencies.
type Service interface {
	// Routes returns the complete HTTP surface.
	Routes() http.Handler
	// Run does the background work and owns the connections: it blocks until ctx ends and then closes them.
	Run(ctx context.Context, ready func()) error
	// Health returns the checks behind /ready.
	Health() *httpserver.Health
}

// Deps is what the process hands to a service.
type Deps struct {
	Logger         *slog.Logger
	Registerer     prometheus.Registerer
	Gatherer       prometheus.Gatherer
	TracerProvider trace.TracerProvider
}
