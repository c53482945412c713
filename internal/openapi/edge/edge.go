// Package edge turns openapi.yaml into the router of a service. Each operation passes, in this order:
//
//  1. authentication, unless it is unauthenticated
//  2. the project that the caller acts in, if the operation is in one
//  3. access: the extension x-access
//  4. a slot among those of the service, for which it may wait for a moment (package admission). Where the queue is full, a request of a
//     caller who is known already is refused ahead of all this (refusals.go)
//  5. rate limits by the client's address: the extension x-limits
//  6. the media types that the caller accepts, of a read that is documented to answer 406
//  7. validation of parameters and body; of parameter names only, if x-validation says that the handler does the rest
//  8. the handler, which charges the limits that only it can
//
// Whatever refuses a request answers with a problem document. What can be decided without a request is decided by Mount:
// a service whose operations, access rules or limits do not fit the contract does not start. The comment at the top of
// openapi.yaml describes the extensions.
package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/validate"
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// Authenticator finds out who calls, and in which project. authn.Verifier is one.
type Authenticator interface {
	// Authenticate verifies the value of an Authorization header.
	Authenticate(ctx context.Context, header string) (authn.Principal, error)
	// Enter returns the caller in the project with a slug, or in the one that the caller acts in without saying so. The zero
	// Principal is an anonymous caller. It returns authn.ErrProjectForbidden for a project of others.
	Enter(ctx context.Context, caller authn.Principal, slug string) (authn.Principal, error)
}

// Options say what the operations of a service need beside their handlers.
type Options struct {
	Authenticator Authenticator
	Limits        map[string]Limit   // by the names that x-limits uses
	Slots         *admission.Limiter // of requests in progress; nil for no limit
	// Prepared are the operations whose answers may be kept for requests that are the same (see Keep), by their ids. Requests are
	// answered before they are routed if the router and the Authenticator can do that.
	Prepared map[string]Audience
}

// Mount adds the operations with the tag service to r. register adds their handlers to a router of its own, under the
// paths of the contract, as generated code does. Mount returns every disagreement between the contract and what the
// service supplies: operations without a handler, handlers without an operation, limits that only one side has.
func Mount(r chi.Router, service string, o Options, register func(chi.Router)) error {
	c, err := contract.Load()
	if err != nil {
		return err
	}
	return mount(c, r, service, o, register)
}

func mount(c *contract.Contract, r chi.Router, service string, o Options, register func(chi.Router)) error {
	handlers, err := collect(register)
	if err != nil {
		return err
	}
	limits := newLimits(o.Limits)
	guarded := make(map[*contract.Operation]*operation)
	var problems []error
	for _, operation := range c.Operations() {
		if operation.Service != service {
			continue
		}
		at := route{operation.Method, operation.Path}
		handler, ok := handlers[at]
		if !ok {
			problems = append(problems, fmt.Errorf("openapi.yaml has %s, which the service does not serve", at))
			continue
		}
		delete(handlers, at)
		if guarded[operation], err = guard(operation, o, limits, handler); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", at, err))
		}
	}
	for at := range handlers {
		problems = append(problems, fmt.Errorf("the service serves %s, which openapi.yaml does not have for %s", at, service))
	}
	problems = append(problems, limits.unused()...)
	if err := prepare(r, o, guarded); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return fmt.Errorf("mount %s: %w", service, errors.Join(problems...))
	}
	refuseAhead(r, o, guarded)
	for spec, handler := range guarded {
		r.Method(spec.Method, spec.Path, handler)
	}
	answerPreflights(r, guarded)
	shareRefusals(r, guarded)
	return nil
}

// route is the method and the path template of an operation.
type route struct{ method, path string }

// String returns "GET /products".
func (r route) String() string { return r.method + " " + r.path }

// collect returns the handlers that register adds to a router.
func collect(register func(chi.Router)) (map[route]http.Handler, error) {
	routes := chi.NewRouter()
	register(routes)
	handlers := make(map[route]http.Handler)
	err := chi.Walk(routes, func(method, path string, handler http.Handler, middlewares ...func(http.Handler) http.Handler) error {
		handlers[route{method, path}] = chi.Chain(middlewares...).Handler(handler)
		return nil
	})
	return handlers, err
}

// operation is an operation with everything in front of its handler.
type operation struct {
	access        access
	project       project
	authenticator Authenticator
	slots         *admission.Limiter
	limits        []limit
	offers        *offers // nil: the answer does not depend on what the caller accepts
	validator     *validate.Validator
	handler       http.Handler
	prepared      *preparedOperation // nil if its answers are not kept
	streams       bool               // the answer goes on for long
	answers       *prepared
	crossOrigin   bool
	keyInBody     bool
}

func guard(o *contract.Operation, options Options, limits *limits, handler http.Handler) (*operation, error) {
	op := &operation{
		access: newAccess(o), project: newProject(o), authenticator: options.Authenticator,
		slots: options.Slots, offers: newOffers(o), validator: validate.New(o), handler: handler,
		streams: streams(o), crossOrigin: o.CrossOrigin, keyInBody: o.KeyInBody,
	}
	if options.Authenticator == nil && !o.Access.Unauthenticated {
		return nil, errors.New("needs an Authenticator")
	}
	var err error
	op.limits, err = limits.of(o)
	return op, err
}

// ServeHTTP implements http.Handler.
func (o *operation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.crossOrigin {
		share(w.Header(), r)
	}
	admitted, slot, err := o.admit(w, r)
	defer slot.Release()
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	o.handler.ServeHTTP(w, admitted)
}

// admit returns the request as the handler gets it, with its caller in the context and the body to be read, and its slot, which it
// may have after an error, too.
func (o *operation) admit(w http.ResponseWriter, r *http.Request) (*http.Request, *admission.Slot, error) {
	r, err := o.authenticate(r)
	if err != nil {
		return nil, nil, err
	}
	r, slot, err := o.enter(r)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range o.limits {
		if err := l.take(r.Context(), w.Header()); err != nil {
			return nil, slot, err
		}
	}
	if err := o.offers.check(r.Header); err != nil {
		return nil, slot, err
	}
	if _, err := o.validator.Check(w, r); err != nil {
		return nil, slot, err
	}
	return r, slot, nil
}

// authenticate returns the request with its caller in the context, if the caller may call the operation.
func (o *operation) authenticate(r *http.Request) (*http.Request, error) {
	if o.access.Unauthenticated {
		return r, nil
	}
	var caller authn.Principal // anonymous
	header := r.Header.Get("Authorization")
	switch {
	case header != "" || o.access.Public:
	case o.keyInBody:
		return o.unidentified(r), nil
	default:
		return nil, authn.ErrNoCredentials
	}
	var err error
	if header != "" {
		if caller, err = o.authenticator.Authenticate(r.Context(), header); err != nil {
			return nil, err
		}
	}
	if caller, err = o.project.enter(o.authenticator, r, caller); err != nil {
		return nil, err
	}
	r = o.streaming(o.asking(r, caller), caller)
	if header == "" {
		return r, nil
	}
	if err := caller.From(otherOrigin(r)); err != nil {
		return nil, err
	}
	if !o.access.allows(caller, r) {
		return nil, o.access.denied
	}
	return r.WithContext(authn.WithPrincipal(r.Context(), caller)), nil
}
