package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

const (
	// preparedBytes bounds the memory for the requests whose answers are known. The answers belong to whoever holds them.
	preparedBytes = 16 << 20
	// preparedOverhead is the estimated memory of a known request beside its texts, in bytes.
	preparedOverhead = 600
	// preparedLife is how long a request is known whose answer is not renewed. It is longer than a process keeps an answer, so it
	// only bounds how long the memory for a request lasts that does not come again.
	preparedLife = 10 * time.Second
)

// Audience names the callers who get the same answer to the same request in the same project. Whatever else of the caller an
// answer depends on must be in the name.
type Audience func(caller authn.Principal) string

// Held is an answer that somebody keeps. Use returns nil once it is not valid any more.
type Held interface{ Use() *reply.Reply }

// recaller is an Authenticator that knows callers without waiting.
type recaller interface {
	Recall(header, slug string) (authn.Principal, bool)
}

// preparer is a router that asks for answers before it routes. httpserver.Router is one.
type preparer interface {
	Ahead(routes []string, find httpserver.Prepared)
}

// prepared answers GET requests that an operation has answered before, as long as the answer is held. A request is the same as
// a former one if its operation, project, audience, Accept, path and query are, byte by byte: then its parameters are valid, because
// only valid requests are answered. What can change between two such requests is checked each time: the caller, its access,
// and the headers. Everything else, and every refusal, is left to the operation itself.
type prepared struct {
	answers  *otter.Cache[preparedKey, Held]
	recaller recaller
	fixed    map[string]*preparedOperation // by path
	others   []*preparedOperation          // whose path has parameters
}

// preparedKey identifies a request. It has the whole project, because answers depend on its time zone and currency. The zone is
// there by its name: each reading of a project from the database makes another pointer.
type preparedKey struct {
	operation                           *operation
	project                             authn.Project
	zone, audience, accept, path, query string
}

// clone returns a key that can be kept: that of a request refers to its whole first line, which may be many times as long as the
// path and the query.
func (k preparedKey) clone() preparedKey {
	k.accept, k.path, k.query = strings.Clone(k.accept), strings.Clone(k.path), strings.Clone(k.query)
	return k
}

// preparedOperation is an operation whose answers may be kept.
type preparedOperation struct {
	*operation

	route    int
	template template
	audience Audience
}

// prepare registers the operations that a service prepares answers for.
func prepare(r chi.Router, o Options, guarded map[*contract.Operation]*operation) error {
	if len(o.Prepared) == 0 {
		return nil
	}
	p := &prepared{fixed: map[string]*preparedOperation{}, answers: otter.Must(&otter.Options[preparedKey, Held]{
		MaximumWeight:    preparedBytes,
		ExpiryCalculator: otter.ExpiryWriting[preparedKey, Held](preparedLife),
		Weigher: func(k preparedKey, _ Held) uint32 {
			return uint32(preparedOverhead + len(k.audience) + len(k.accept) + len(k.path) + len(k.query))
		},
	})}
	p.answers.StopAllGoroutines() // each new request removes those that have expired
	var routes []string
	var problems []error
	byID := map[string]*contract.Operation{}
	for spec := range guarded {
		byID[spec.ID] = spec
	}
	for _, id := range slices.Sorted(maps.Keys(o.Prepared)) {
		spec := byID[id]
		if spec == nil {
			problems = append(problems, fmt.Errorf("answers are prepared for %s, which the service does not serve", id))
			continue
		}
		op := guarded[spec]
		if spec.Method != http.MethodGet || op.access.Unauthenticated || len(op.limits) > 0 || spec.HandlerValidates {
			problems = append(problems, fmt.Errorf("answers of %s cannot be prepared: it must be a validated GET with callers and without limits by address", id))
			continue
		}
		op.prepared = &preparedOperation{operation: op, route: len(routes), audience: o.Prepared[id]}
		routes = append(routes, spec.Path)
		p.add(spec.Path, op.prepared)
		op.answers = p
	}
	router, canAhead := r.(preparer)
	known, canRecall := o.Authenticator.(recaller)
	if canAhead && canRecall {
		p.recaller = known
		router.Ahead(routes, p.find)
	}
	return errors.Join(problems...)
}

func (p *prepared) add(path string, o *preparedOperation) {
	if o.template = templateOf(path); o.template == nil {
		p.fixed[path] = o
		return
	}
	p.others = append(p.others, o)
}

// match returns the operation of a path and, if its access depends on one, the value of that path parameter. A path that the
// router gives to another operation has no answers here.
func (p *prepared) match(path string) (o *preparedOperation, self string) {
	if o := p.fixed[path]; o != nil {
		return o, ""
	}
	for _, o := range p.others {
		if self, ok := o.template.match(path, o.access.Self); ok {
			return o, self
		}
	}
	return nil, ""
}

// find implements httpserver.Prepared.
func (p *prepared) find(r *http.Request) (*reply.Reply, int) {
	o, self := p.match(r.URL.Path)
	if o == nil {
		return nil, 0
	}
	slug, named := oneOf(r.Header[contract.ProjectHeader])
	accept, _ := oneOf(r.Header["Accept"])
	credentials := r.Header.Get("Authorization")
	if !named || credentials == "" && !o.access.Public || len(r.Header["Accept"]) > 1 || !o.validator.HeadersFit(r.Header) {
		return nil, 0
	}
	caller, ok := p.recaller.Recall(credentials, slug)
	if !ok || credentials != "" && !o.access.permits(caller, self) {
		return nil, 0
	}
	if caller.From(otherOrigin(r)) != nil {
		return nil, 0
	}
	held, ok := p.answers.GetIfPresent(o.key(caller, accept, r))
	if !ok {
		return nil, 0
	}
	return held.Use(), o.route
}

// oneOf returns the only value of a header, or an empty text if there is none.
func oneOf(values []string) (value string, ok bool) {
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1 && values[0] != ""
}

func (o *preparedOperation) key(caller authn.Principal, accept string, r *http.Request) preparedKey {
	k := preparedKey{
		operation: o.operation, project: caller.Project, zone: caller.Project.Zone.String(), audience: o.audience(caller), accept: accept,
		path: r.URL.Path, query: r.URL.RawQuery,
	}
	k.project.Zone = nil
	return k
}

// question is a request whose answer may be kept.
type question struct {
	answers *prepared
	key     preparedKey
	keep    bool
	header  http.Header
}

type questionKey struct{}

// asking returns the request with what Keep and Asked need, if the operation is one whose answers are prepared.
func (o *operation) asking(r *http.Request, caller authn.Principal) *http.Request {
	if o.prepared == nil {
		return r
	}
	accept, one := oneOf(r.Header["Accept"])
	q := &question{answers: o.answers, header: r.Header, keep: one && r.URL.RawPath == "", key: o.prepared.key(caller, accept, r)}
	return r.WithContext(context.WithValue(r.Context(), questionKey{}, q))
}

// Keep lets requests that are the same as that of ctx be answered with what held has, as long as it is valid. Only a 200 may be
// kept, and only if nothing of the caller but its project and audience has a part in it.
func Keep(ctx context.Context, held Held) {
	if q, ok := ctx.Value(questionKey{}).(*question); ok && q.keep {
		q.answers.answers.Set(q.key.clone(), held)
	}
}

// Asked returns the header of the request of ctx, for the operations whose answers are prepared.
func Asked(ctx context.Context) http.Header {
	if q, ok := ctx.Value(questionKey{}).(*question); ok {
		return q.header
	}
	return nil
}
