package httpserver

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// Prepared finds the answer to a GET request that is ready to be written, and the index of its route. It returns nil if there is none, and
// whenever anything about the request needs the handler: it neither refuses requests nor waits.
type Prepared func(r *http.Request) (answer *reply.Reply, route int)

// ahead answers requests before they are routed. It does what the middleware around handlers does, and allocates only the
// request id: no context, no deadline, no copy of the request.
type ahead struct {
	edge     *edge
	inFlight *inFlight
	live     aheadRoute // of /health
	find     Prepared   // nil: only /health is answered
	routes   []aheadRoute
	refusals *refusals // nil: none
}

// aheadRoute has the metrics of a route, so that no request looks them up by their labels.
type aheadRoute struct {
	template        string
	ok, notModified prometheus.Observer
}

func newAhead(e *edge, f *inFlight) *ahead {
	live := aheadRoute{template: livePath, ok: e.metrics.duration.WithLabelValues(http.MethodGet, livePath, strconv.Itoa(http.StatusOK))}
	return &ahead{edge: e, inFlight: f, live: live}
}

// Ahead lets find answer requests before they are routed. Routes are their templates, for metrics and logs.
func (rt *Router) Ahead(routes []string, find Prepared) {
	rt.ahead.find = find
	for _, template := range routes {
		series := func(status int) prometheus.Observer {
			return rt.edge.metrics.duration.WithLabelValues(http.MethodGet, template, strconv.Itoa(status))
		}
		rt.ahead.routes = append(rt.ahead.routes, aheadRoute{
			template: template, ok: series(http.StatusOK), notModified: series(http.StatusNotModified),
		})
	}
}

// serve answers a request if it can.
func (a *ahead) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.RawPath != "" || a.edge.health.draining.Load() || r.Header["Expect"] != nil {
		return false
	}
	start := time.Now()
	if r.Method == http.MethodGet && r.ContentLength == 0 && a.answer(w, r, start) {
		return true
	}
	return a.refusals != nil && a.refusals.answer(w, r, start)
}

// answer answers a GET request if its answer is ready.
func (a *ahead) answer(w http.ResponseWriter, r *http.Request, start time.Time) bool {
	if r.URL.Path == livePath { // not limited: probes of an overloaded service must not fail
		a.write(w, r, start, liveAnswer, &a.live)
		return true
	}
	if a.find == nil {
		return false
	}
	answer, index := a.find(r)
	if answer == nil {
		return false
	}
	if a.inFlight.limit > 0 {
		network := networkOf(clientAddress(r, a.edge.proxyHops))
		if !a.inFlight.enter(network) {
			return false
		}
		defer a.inFlight.leave(network)
	}
	a.write(w, r, start, answer, &a.routes[index])
	return true
}

// write answers a request of a route.
func (a *ahead) write(w http.ResponseWriter, r *http.Request, start time.Time, answer *reply.Reply, route *aheadRoute) {
	a.edge.metrics.inFlight.Inc()
	defer a.edge.metrics.inFlight.Dec()
	ctx, span := a.edge.spanOf(r)
	id := sentRequestID(r)
	if id == "" {
		id = quickRequestID()
	}
	header := w.Header()
	header[requestIDHeader] = []string{id}
	header["X-Content-Type-Options"] = noSniff
	status, written := answer.Write(whole(w, r), r.Header)

	duration := time.Since(start)
	observer := route.ok
	if status == http.StatusNotModified {
		observer = route.notModified
	}
	traced := trace.SpanContext{}
	if span != nil {
		traced = span.SpanContext()
	}
	observe(observer, duration, traced)
	if span != nil {
		describe(span, r, route.template, status)
		span.End()
	}
	if a.edge.accessLog == "all" {
		a.edge.log(ctx, served{method: r.Method, route: route.template, status: status, duration: duration, bytes: int64(written), id: id})
	}
}

// spanOf starts the span of a request if the tracer records any.
func (e *edge) spanOf(r *http.Request) (context.Context, trace.Span) {
	if !e.records {
		return r.Context(), nil
	}
	ctx := e.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	return e.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer)) //nolint:spancheck // the caller ends it
}

// records reports whether a tracer records any span. It asks for one that every sampler but one that never samples takes: the
// caller has sampled it, and its trace id is the lowest.
func records(tracer trace.Tracer) bool {
	caller := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	_, span := tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), caller), "probe") //nolint:spancheck // never ended, so never exported
	return span.IsRecording()                                                                          //nolint:spancheck // never ended, so never exported
}

// quickRequestID returns an id like rand.Text of crypto/rand, of numbers that need not be secret: an id only finds log lines.
func quickRequestID() string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var text [26]byte
	for half := range 2 {
		n := rand.Uint64() //nolint:gosec // no secret
		for i := range 13 {
			text[13*half+i] = digits[n&31]
			n >>= 5
		}
	}
	return string(text[:])
}
