package httpserver

import (
	"cmp"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// RouterOptions say what NewRouter needs.
type RouterOptions struct {
	Config         Config
	Logger         *slog.Logger
	Registerer     prometheus.Registerer // where the request metrics go
	Gatherer       prometheus.Gatherer   // what /metrics shows
	TracerProvider trace.TracerProvider
	Health         *Health
}

// Router is a chi router that can answer requests before it routes them.
type Router struct {
	chi.Router

	edge     *edge
	inFlight *inFlight
	ahead    *ahead
}

// Share lets header say which pages may read the answers to a request that is refused before it is routed, which otherwise only the route
// knows: a page sees no refusal that it may not read, so it cannot wait and send again.
func (rt *Router) Share(header func(header http.Header, r *http.Request)) { rt.edge.share = header }

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !rt.ahead.serve(w, r) {
		rt.Router.ServeHTTP(w, r)
	}
}

// NewRouter returns a router with the common middleware and the operational endpoints: /health (the process is alive),
// /ready (it can serve requests) and /metrics. Unknown paths and methods are answered with problem documents. HEAD is
// answered wherever GET is, without the body (RFC 9110, section 9.3.2).
func NewRouter(o RouterOptions) *Router {
	r := &Router{Router: chi.NewRouter(), edge: newEdge(o), inFlight: newInFlight(o.Config.MaxRequestsPerAddress)}
	r.ahead = newAhead(r.edge, r.inFlight)
	r.Use(r.edge.around, r.inFlight.around(r.edge), middleware.GetHead)
	r.NotFound(NotFound)
	r.MethodNotAllowed(methodNotAllowed(r))
	r.Get(livePath, o.Health.ServeLive)
	r.Get("/ready", o.Health.ServeReady)
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true})) // exemplars need OpenMetrics
	return r
}

// NotFound answers 404 for a path that no route matches.
func NotFound(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, errs.New(errs.NotFound, "no_such_path", "There is nothing at this path. GET /docs shows what there is."))
}

// methodNotAllowed answers 405 with the methods that the path does have.
func methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := cmp.Or(r.URL.RawPath, r.URL.Path) // as chi routes
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if !routes.Match(chi.NewRouteContext(), method, path) {
				continue
			}
			w.Header().Add("Allow", method)
			if method == http.MethodGet {
				w.Header().Add("Allow", http.MethodHead)
			}
		}
		problem.WriteDocument(w, r, http.StatusMethodNotAllowed, errs.New(errs.Invalid, "method_not_allowed",
			"This path does not take "+r.Method+"; the Allow header lists the methods it takes."))
	}
}
