// Package platformtest provides helpers for the tests of all services.
package platformtest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// Logger returns a logger that writes to the test's output.
func Logger(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Deps returns the dependencies that a hosting process passes to a service, for one test.
func Deps(tb testing.TB) service.Deps {
	registry := prometheus.NewRegistry()
	return service.Deps{
		Logger:         Logger(tb),
		Registerer:     registry,
		Gatherer:       registry,
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
	}
}

// Eventually polls condition until it is true, and fails the test after timeout. Use it to wait for another process. Inside one
// process wait on a signal, or use testing/synctest.
func Eventually(tb testing.TB, timeout time.Duration, what string, condition func() bool) {
	tb.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			tb.Fatalf("not within %s: %s", timeout, what)
		case <-tick.C:
		}
	}
}

// Go runs work until the test ends, and then waits for it to return.
func Go(tb testing.TB, work func(ctx context.Context)) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context())) // tb.Context ends before cleanups run
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	tb.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// Run runs a service's background work until the test ends, and fails the test if it stops earlier.
func Run(tb testing.TB, svc service.Service) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context())) // tb.Context ends before cleanups run
	ready, done := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		done <- svc.Run(ctx, func() {
			select {
			case ready <- struct{}{}:
			default:
			}
		})
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("the service stopped with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		tb.Fatalf("the service stopped by itself: %v", err)
	}
}
