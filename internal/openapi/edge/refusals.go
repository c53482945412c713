package edge

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

// refuser is a router that refuses requests before it routes. httpserver.Router is one.
type refuser interface {
	RefuseAhead(routes []httpserver.Route, overloaded httpserver.Overloaded)
	ClientNetwork(r *http.Request) string
}

// refusals decides which requests of an overloaded service are refused before they are routed: those that the slots would refuse at
// once. It decides only for callers who are known without waiting. The others go to the operation.
type refusals struct {
	slots    *admission.Limiter
	recaller recaller
	network  func(*http.Request) string
	fixed    map[route]refusable
	others   map[string][]refusable // whose path has parameters, by method
}

// refusable is an operation of which requests are refused ahead.
type refusable struct {
	*operation

	route    int
	template template
}

// refuseAhead lets the router refuse requests of operations in projects, if it and the Authenticator can do that.
func refuseAhead(r chi.Router, o Options, guarded map[*contract.Operation]*operation) {
	router, canRefuse := r.(refuser)
	known, canRecall := o.Authenticator.(recaller)
	if !canRefuse || !canRecall || o.Slots == nil {
		return
	}
	f := &refusals{slots: o.Slots, recaller: known, network: router.ClientNetwork, fixed: map[route]refusable{}, others: map[string][]refusable{}}
	var routes []httpserver.Route
	for spec, op := range guarded {
		if op.access.Unauthenticated || !op.project.in || op.project.path {
			continue
		}
		one := refusable{operation: op, route: len(routes), template: templateOf(spec.Path)}
		routes = append(routes, httpserver.Route{Method: spec.Method, Template: spec.Path})
		if one.template == nil {
			f.fixed[route{spec.Method, spec.Path}] = one
		} else {
			f.others[spec.Method] = append(f.others[spec.Method], one)
		}
	}
	router.RefuseAhead(routes, f.overloaded)
}

// overloaded implements httpserver.Overloaded.
func (f *refusals) overloaded(r *http.Request) (int, bool) {
	if !f.slots.Queueing() {
		return 0, false
	}
	o, ok := f.find(r)
	if !ok {
		return 0, false
	}
	slug, named := oneOf(r.Header[contract.ProjectHeader])
	credentials := r.Header.Get("Authorization")
	if !named || credentials == "" && !o.access.Public {
		return 0, false
	}
	caller := authn.Principal{Guest: true} // anonymous
	if credentials != "" {
		if caller, ok = f.recaller.Recall(credentials, slug); !ok {
			return 0, false
		}
	}
	return o.route, f.slots.Refuse(r.Context(), sharerOf(caller, func() string { return f.network(r) }))
}

// find returns the operation of a request.
func (f *refusals) find(r *http.Request) (refusable, bool) {
	if o, ok := f.fixed[route{r.Method, r.URL.Path}]; ok {
		return o, true
	}
	for _, o := range f.others[r.Method] {
		if _, ok := o.template.match(r.URL.Path, ""); ok {
			return o, true
		}
	}
	return refusable{}, false
}
