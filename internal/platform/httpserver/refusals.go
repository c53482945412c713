package httpserver

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// Overloaded reports whether a request is refused because the service works on as many as it can, and the index of its route. It does not
// wait or read the body, and says no whenever it does not know the caller.
type Overloaded func(r *http.Request) (route int, refused bool)

// Route is a method and the template of a path.
type Route struct{ Method, Template string }

// refusals answers requests of an overloaded service before they are routed: what most of them cost then decides how many others are
// answered. Such a request has no context, span or line in the log; it is counted, and the admission logs the overload. net/http reads what
// is left of a small body, so the connection stays open.
type refusals struct {
	overloaded Overloaded
	durations  []prometheus.Observer // by route
	status     int
	body       []byte
	length     []string
	retry      [][]string // values of Retry-After, by seconds
	edge       *edge
}

// The header of a refusal that is the same each time.
var (
	problemType = []string{problem.ContentType}
	noStore     = []string{"no-store"}
)

// mostRetrySeconds bounds the values of Retry-After that are prepared.
const mostRetrySeconds = 10

// RefuseAhead lets overloaded refuse requests before they are routed.
func (rt *Router) RefuseAhead(routes []Route, overloaded Overloaded) {
	f := &refusals{overloaded: overloaded, edge: rt.edge}
	f.status, f.body = problem.Encode(admission.Overloaded())
	f.length = []string{strconv.Itoa(len(f.body))}
	for seconds := range mostRetrySeconds {
		f.retry = append(f.retry, []string{strconv.Itoa(seconds)})
	}
	for _, route := range routes {
		f.durations = append(f.durations, rt.edge.metrics.duration.WithLabelValues(route.Method, route.Template, strconv.Itoa(f.status)))
	}
	rt.ahead.refusals = f
}

// ClientNetwork returns the network of the client of a request that is not routed yet, as the function ClientNetwork does later.
func (rt *Router) ClientNetwork(r *http.Request) string {
	return networkName(clientAddress(r, rt.edge.proxyHops))
}

// answer refuses a request if it is to be refused.
func (f *refusals) answer(w http.ResponseWriter, r *http.Request, start time.Time) bool {
	route, refused := f.overloaded(r)
	if !refused {
		return false
	}
	id := sentRequestID(r)
	if id == "" {
		id = quickRequestID()
	}
	seconds := int((admission.RetryAfter() + time.Second - 1) / time.Second)
	header := w.Header()
	header[requestIDHeader] = []string{id}
	header["X-Content-Type-Options"] = noSniff
	header["Retry-After"] = f.retry[min(seconds, mostRetrySeconds-1)]
	header["Content-Type"] = problemType
	header["Cache-Control"] = noStore
	header["Content-Length"] = f.length
	f.edge.shareWith(header, r)
	w.WriteHeader(f.status)
	_, _ = w.Write(f.body) // the client may be gone
	f.durations[route].Observe(time.Since(start).Seconds())
	return true
}
