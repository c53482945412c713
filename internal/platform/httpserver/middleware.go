package httpserver

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// requestIDHeader carries the request id in both directions.
const requestIDHeader = "X-Request-Id"

// saneRequestID is what we accept from a client: it ends up in logs.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID gives each request an id, the caller's own if it is sane, and repeats it in the answer.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !saneRequestID.MatchString(id) {
			id = rand.Text()
			r.Header.Set(requestIDHeader, id)
		}
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r)
	})
}

// traced gives each request a span, a child of the caller's if it sent a traceparent. observe completes it. Without an
// exporter the span only carries the ids that errors and logs show.
func traced(provider trace.TracerProvider) func(http.Handler) http.Handler {
	tracer := provider.Tracer("github.com/hp-analytics/hp-analytics/internal/platform/httpserver")
	propagator := propagation.TraceContext{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
			ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// requestMetrics are the RED metrics: rate, errors and duration by route template.
type requestMetrics struct {
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newRequestMetrics(registerer prometheus.Registerer) *requestMetrics {
	m := &requestMetrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hpa_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer, by method, route template and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hpa_http_requests_in_flight",
			Help: "Requests being answered now.",
		}),
	}
	registerer.MustRegister(m.duration, m.inFlight)
	return m
}

// observe measures and logs each request, once, when it is done.
func observe(logger *slog.Logger, which string, metrics *requestMetrics) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			metrics.inFlight.Inc()
			defer metrics.inFlight.Dec()
			var recorder problem.Recorder
			r = r.WithContext(problem.WithRecorder(r.Context(), &recorder))
			result := httpsnoop.CaptureMetrics(next, w, r)

			route := routeOf(r)
			metrics.duration.WithLabelValues(methodLabel(r.Method), route, strconv.Itoa(result.Code)).Observe(result.Duration.Seconds())
			if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
				describe(span, r, route, result.Code)
			}
			logAccess(logger, which, r, route, result, recorder.Err)
		})
	}
}

// routeOf returns the template of the matched route, so that a metric label never holds an id or an attacker's path.
func routeOf(r *http.Request) string {
	if ctx := chi.RouteContext(r.Context()); ctx != nil {
		if pattern := ctx.RoutePattern(); pattern != "" && pattern != "/*" {
			return pattern
		}
	}
	return "unmatched"
}

// methodLabel keeps made-up methods from making new time series.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// describe completes a server's span by the semantic conventions for HTTP.
func describe(span trace.Span, r *http.Request, route string, status int) {
	span.SetName(r.Method + " " + route)
	span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(route), semconv.URLPath(r.URL.Path),
		semconv.HTTPResponseStatusCode(status),
	)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(status))
	}
}

func logAccess(logger *slog.Logger, which string, r *http.Request, route string, result httpsnoop.Metrics, err error) {
	level := slog.LevelInfo
	switch {
	case result.Code == http.StatusServiceUnavailable: // what is away is logged where it is noticed; a probe is no error
		level = slog.LevelWarn
	case result.Code >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if which == "none" || which == "errors" && result.Code < http.StatusBadRequest || !logger.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", route),
		slog.Int("status", result.Code),
		slog.Duration("duration", result.Duration),
		slog.Int64("bytes", result.Written),
		slog.String("request_id", r.Header.Get(requestIDHeader)),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// recoverPanics turns a panic into a 500 problem, unless the answer has begun: then the connection is cut, so that the
// client cannot take half an answer for a whole one.
func recoverPanics(logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun := false
			hooked := httpsnoop.Wrap(w, httpsnoop.Hooks{
				WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
					return func(code int) { begun = true; write(code) }
				},
				Write: func(write httpsnoop.WriteFunc) httpsnoop.WriteFunc {
					return func(b []byte) (int, error) { begun = true; return write(b) }
				},
			})
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if err, ok := cause.(error); begun || ok && errors.Is(err, http.ErrAbortHandler) {
					panic(http.ErrAbortHandler)
				}
				logger.ErrorContext(r.Context(), "panic", "cause", cause, "stack", string(debug.Stack()))
				problem.Write(w, r, errs.New(errs.Internal, "internal", "Something went wrong on our side. Quote the trace_id when you report it."))
			}()
			next.ServeHTTP(hooked, r)
		})
	}
}

// deadline ends the request's context after d, so that a slow dependency is answered with 503 instead of a hang.
func deadline(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
