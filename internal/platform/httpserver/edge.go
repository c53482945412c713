package httpserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// requestIDHeader carries the request id in both directions.
const requestIDHeader = "X-Request-Id"

// saneRequestID matches the request ids that are accepted from clients. They appear in logs.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// edge is the middleware around every handler: request id, span, deadline, panic recovery, metrics and access log. It is
// one middleware instead of six, because each layer costs a copy of the request, a context and a wrapped writer; six of
// them cost as much CPU as storing an event.
type edge struct {
	logger     *slog.Logger
	accessLog  string
	timeout    time.Duration
	proxyHops  int
	metrics    *requestMetrics
	health     *Health
	tracer     trace.Tracer
	records    bool // tracer records spans, at least of some requests
	propagator propagation.TextMapPropagator
	share      func(header http.Header, r *http.Request) // nil: nothing is said of other origins
}

func newEdge(o RouterOptions) *edge {
	tracer := o.TracerProvider.Tracer("github.com/hp-analytics/hp-analytics/internal/platform/httpserver")
	return &edge{
		logger:     o.Logger,
		accessLog:  o.Config.AccessLog,
		timeout:    o.Config.RequestTimeout,
		proxyHops:  o.Config.TrustedProxyHops,
		metrics:    newRequestMetrics(o.Registerer),
		health:     o.Health,
		tracer:     tracer,
		records:    records(tracer),
		propagator: propagation.TraceContext{},
	}
}

// statusClientGone is what metrics and the log have of a response whose client hung up, or took too little for too long. It is no status
// of HTTP, and nobody receives it; nginx logs the same.
const statusClientGone = 499

// noSniff keeps browsers from rendering an answer as a page.
var noSniff = []string{"nosniff"}

// shareWith adds to the header of a refusal which pages may read it.
func (e *edge) shareWith(header http.Header, r *http.Request) {
	if e.share != nil {
		e.share(header, r)
	}
}

// around wraps next.
func (e *edge) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, start: time.Now(), id: requestID(r), request: r, hops: e.proxyHops}
		header := w.Header()
		header[requestIDHeader] = []string{x.id}
		header["X-Content-Type-Options"] = noSniff
		if e.health.draining.Load() {
			// The listener is about to close. A proxy that kept the connection could send its next request into the closed
			// connection, and must not repeat a POST. So every response closes its connection.
			header["Connection"] = []string{"close"}
		}

		// The span is a child of the caller's span if the request has a traceparent. Without an exporter it only provides the
		// ids for errors and logs.
		ctx := e.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := e.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		ctx = problem.WithRecorder(withExchange(ctx, x), &x.problem)
		// With a deadline, a slow dependency leads to a 503 instead of a request that hangs.
		ctx, cancel := context.WithTimeout(ctx, e.timeout)
		defer cancel()
		r = r.WithContext(ctx)

		e.metrics.inFlight.Inc()
		defer e.metrics.inFlight.Dec()
		defer e.finish(x, r, span)
		defer e.recover(x, r)
		next.ServeHTTP(x, r)
	})
}

// recover turns a panic into a 500 problem. If the response has started, it aborts the connection instead, so that the
// client cannot mistake a partial response for a complete one.
func (e *edge) recover(x *exchange, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	err, ok := cause.(error)
	wanted := ok && errors.Is(err, http.ErrAbortHandler) // the handler aborts the connection on purpose
	if !wanted {
		e.logger.ErrorContext(r.Context(), "panic", "cause", cause, "stack", string(debug.Stack()))
	}
	if x.status != 0 || wanted {
		x.status = http.StatusInternalServerError // for metrics and log: the client gets no complete response
		if wanted && x.clientGone() {
			x.status = statusClientGone
		}
		panic(http.ErrAbortHandler)
	}
	problem.Write(x, r, errs.New(errs.Internal, "internal", "Something went wrong on our side. Quote the trace_id when you report it."))
}

// finish records the metrics of a request and logs it, after the handler has returned.
func (e *edge) finish(x *exchange, r *http.Request, span trace.Span) {
	duration, status, route := time.Since(x.start), cmp.Or(x.status, http.StatusOK), routeOf(r)
	answered := duration
	if !x.streams.IsZero() {
		answered = x.streams.Sub(x.start) // how long somebody looks at a stream is no latency
	}
	e.metrics.observe(r.Method, route, status, answered, span.SpanContext())
	if span.IsRecording() {
		describe(span, r, route, status)
	}
	if x.problem.Err != nil && errors.Is(x.problem.Err, admission.ErrRefused) {
		return // a line for each of them would cost more than the refusal; package admission logs the overload
	}
	e.log(r.Context(), served{method: r.Method, route: route, status: status, duration: duration, bytes: x.written, id: x.id, err: x.problem.Err})
}

// served is what the access log says about a request.
type served struct {
	method, route string
	status        int
	duration      time.Duration
	bytes         int64
	id            string
	err           error
}

func (e *edge) log(ctx context.Context, s served) {
	level := slog.LevelInfo
	switch {
	case s.status == http.StatusServiceUnavailable: // the outage itself is logged where it is detected
		level = slog.LevelWarn
	case s.status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if e.accessLog == "none" || e.accessLog == "errors" && s.status < http.StatusBadRequest || !e.logger.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 7),
		slog.String("method", s.method),
		slog.String("route", s.route),
		slog.Int("status", s.status),
		slog.Duration("duration", s.duration),
		slog.Int64("bytes", s.bytes),
		slog.String("request_id", s.id),
	)
	if s.err != nil {
		attrs = append(attrs, slog.Any("err", s.err))
	}
	e.logger.LogAttrs(ctx, level, "request", attrs...)
}

// requestID returns the request id that the client sent, or a new one.
func requestID(r *http.Request) string {
	id := sentRequestID(r)
	if id == "" {
		id = rand.Text()
		r.Header.Set(requestIDHeader, id)
	}
	return id
}

// sentRequestID returns the request id that the client sent; empty if that is missing or not sane.
func sentRequestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); id != "" && saneRequestID.MatchString(id) {
		return id
	}
	return ""
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
			Help:    "Time from a request's header to the end of its answer (of a stream: to its begin), by method, route template and status.",
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

// observe records an answer.
func (m *requestMetrics) observe(method, route string, status int, duration time.Duration, span trace.SpanContext) {
	observe(m.duration.WithLabelValues(methodLabel(method), route, strconv.Itoa(status)), duration, span)
}

// observe records a duration. A request that is traced leaves the id of its trace as an exemplar, which leads from a slow bucket
// of a dashboard to a request.
func observe(observer prometheus.Observer, duration time.Duration, span trace.SpanContext) {
	traced, ok := observer.(prometheus.ExemplarObserver)
	if !ok || !span.IsSampled() { // nobody could look the id up
		observer.Observe(duration.Seconds())
		return
	}
	traced.ObserveWithExemplar(duration.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String()})
}

// routeOf returns the template of the matched route. Metric labels must not contain ids or arbitrary paths.
func routeOf(r *http.Request) string {
	if ctx := chi.RouteContext(r.Context()); ctx != nil {
		if pattern := ctx.RoutePattern(); pattern != "" && pattern != "/*" {
			return pattern
		}
	}
	return "unmatched"
}

// methodLabel maps unknown methods to one label, so that clients cannot create time series.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// describe sets the attributes of a server span that the semantic conventions for HTTP require.
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
