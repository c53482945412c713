// Package apifuzz makes requests from openapi.yaml: valid ones, from the schemas and examples of each operation, and broken ones,
// each of a kind that has a name. Requests are bytes, because many broken ones are what no HTTP library writes.
//
// All choices come from a random source, so a seed repeats them. Names of what exists come from a Pool that the caller
// fills: of those, only the order in which they were added counts.
package apifuzz

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Fuzzer makes requests. It is safe for concurrent use.
type Fuzzer struct {
	operations map[string]*contract.Operation
	pool       *Pool
}

// Operation is an operation of the contract.
type Operation struct {
	ID      string
	Service string   // that answers it; empty if every service does
	Kinds   []string // of broken requests that can be made for it
}

// New returns a Fuzzer that takes the names of what exists from pool.
func New(pool *Pool) (*Fuzzer, error) {
	c, err := contract.Load()
	if err != nil {
		return nil, err
	}
	f := &Fuzzer{operations: map[string]*contract.Operation{}, pool: pool}
	for _, o := range c.Operations() {
		f.operations[o.ID] = o
	}
	return f, nil
}

// Operations returns all operations, by id.
func (f *Fuzzer) Operations() (all []Operation) {
	for id, o := range f.operations {
		operation := Operation{ID: id, Service: o.Service}
		if o.Service == "operations" {
			operation.Service = o.RoutedTo
		}
		for _, k := range kinds {
			if k.fits(o) {
				operation.Kinds = append(operation.Kinds, k.name)
			}
		}
		all = append(all, operation)
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return slices.Compare([]string{a.Service, a.ID}, []string{b.Service, b.ID})
	})
	return all
}

// Valid returns a request that the contract allows. The platform may still refuse it, for what it does not know.
func (f *Fuzzer) Valid(operation string, random *rand.Rand) *Request {
	m := &maker{Rand: random, pool: f.pool, operation: f.operations[operation]}
	return m.valid()
}

// Broken returns a request of a kind that the operation has.
func (f *Fuzzer) Broken(operation, kind string, random *rand.Rand) *Request {
	m := &maker{Rand: random, pool: f.pool, operation: f.operations[operation]}
	r := m.valid()
	r.Kind = kind
	for _, k := range kinds {
		if k.name == kind {
			k.change(m, r)
		}
	}
	return r
}

// Heavy reports whether requests of a kind are large, so that a run sends few of them.
func Heavy(kind string) bool {
	return slices.ContainsFunc(kinds, func(k way) bool { return k.name == kind && k.heavy })
}

// way is a way to break a valid request.
type way struct {
	name   string
	heavy  bool
	fits   func(o *contract.Operation) bool
	change func(m *maker, r *Request)
}

var kinds = slices.Concat(bodyKinds, textKinds, envelopeKinds, parameterKinds, headerKinds, wireKinds)

func always(*contract.Operation) bool { return true }

func hasBody(o *contract.Operation) bool { return o.Spec.RequestBody != nil }

// maker makes one request.
type maker struct {
	*rand.Rand
	pool      *Pool
	operation *contract.Operation
}

// valid returns a request that the contract allows.
func (m *maker) valid() *Request {
	o := m.operation
	r := &Request{Operation: o.ID, Kind: "valid", Method: o.Method, path: o.Path, params: map[string]string{}, query: map[string]string{}}
	r.Caller = m.caller()
	for _, ref := range o.Parameters {
		m.parameter(r, ref.Value)
	}
	if o.Path == invitationTemplate {
		m.pool.pickPath(m.Rand, o.Path, r.params)
	}
	if body := o.Spec.RequestBody; body != nil {
		m.body(r, body.Value)
	}
	return r
}

// parameter adds a parameter, an optional one sometimes.
func (m *maker) parameter(r *Request, p *openapi3.Parameter) {
	if !p.Required && (m.IntN(4) > 0 || p.Name == contract.ProjectHeader) {
		return
	}
	value := m.parameterValue(p)
	switch p.In {
	case openapi3.ParameterInPath:
		r.params[p.Name] = value
	case openapi3.ParameterInQuery:
		r.query[p.Name] = value
	default:
		r.Header = append(r.Header, Field{p.Name, value})
	}
}

// parameterValue returns a name from the pool for what is in the path, and else a value of the schema.
func (m *maker) parameterValue(p *openapi3.Parameter) string {
	if p.In == openapi3.ParameterInPath {
		if name, ok := m.pool.pick(m.Rand, m.operation.Path, p.Name); ok && m.IntN(8) > 0 {
			return name
		}
	}
	if p.Example != nil && (p.Schema.Value.Pattern != "" || m.IntN(4) == 0) {
		return fmt.Sprint(p.Example)
	}
	return fmt.Sprint(m.value(p.Name, p.Schema.Value))
}

// Callers of requests, whose credentials the program knows that sends them.
const (
	Nobody    = ""          // sends no credentials
	Admin     = "admin"     // an account with the role admin, and so an owner of every project
	Guest     = "guest"     // an account that is no member
	Spare     = "spare"     // an account whose password and logins may change
	IngestKey = "ingest"    // API keys of the default project
	ReadKey   = "read"      //
	AdminKey  = "admin-key" //
	Foreigner = "foreigner" // an API key of another project, with all scopes
	Expired   = "expired"   // the access token of an admin, too late
	Revoked   = "revoked"   // an API key that was revoked
	Forged    = "forged"    // an access token with another signature
)

// spareOperations change the account that calls them.
var spareOperations = []string{"changePassword", "endOwnSessions", "acceptInvitation"}

// caller returns somebody who may call the operation.
func (m *maker) caller() string {
	o := m.operation
	if o.Access.Unauthenticated {
		return Nobody
	}
	if slices.Contains(spareOperations, o.ID) {
		return Spare
	}
	if o.Access.Public {
		return []string{Nobody, Admin, Guest, ReadKey}[m.IntN(4)]
	}
	var all []string
	for _, role := range o.Access.Roles {
		switch role {
		case authn.Admin, authn.Owner:
			all = append(all, Admin)
		case authn.User:
			all = append(all, Guest)
		case authn.Analyst, authn.Viewer:
		}
	}
	for _, scope := range o.Access.Scopes {
		all = append(all, map[authn.Scope]string{authn.ScopeIngest: IngestKey, authn.ScopeRead: ReadKey, authn.ScopeAdmin: AdminKey, authn.ScopeShared: ReadKey}[scope]) // nobody has a share link
	}
	return all[m.IntN(len(all))]
}
