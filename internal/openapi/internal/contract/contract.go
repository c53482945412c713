// Package contract parses openapi.yaml: its operations, their extensions, how a request finds its operation, and the
// formats of strings.
package contract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
)

// Operation is one operation of the contract.
type Operation struct {
	ID         string
	Method     string
	Path       string // the template, as in openapi.yaml
	Service    string // the service that answers it: its tag
	Parameters openapi3.Parameters
	Spec       *openapi3.Operation

	Access Access
	Audit  Audit
	Limits []string // names of rate limits, in the order in which they apply
	// CrossOrigin operations may be called by pages of other origins: the extension x-cross-origin.
	CrossOrigin bool
	// KeyInBody operations take the key of a caller in the query or the body, too: the extension x-credentials. Their handlers find it.
	KeyInBody        bool
	HandlerValidates bool   // the handler validates parameters and body itself
	RoutedTo         string // the service to which gateways route the path; empty if they do not
	// InProject operations act in the project that the parameter ProjectHeader names, and may leave unnamed, or that the path
	// parameter ProjectParameter names.
	InProject     bool
	ProjectInPath bool
}

// Contract is the parsed and checked document.
type Contract struct {
	Document   *openapi3.T
	operations []*Operation
	byRoute    map[route]*Operation
	router     *chi.Mux
}

type route struct{ method, path string }

// Load parses the embedded document. It takes some milliseconds, so callers keep the result.
func Load() (*Contract, error) { return Parse([]byte(openapi.Source())) }

// Parse parses a document. It refuses a document in which an operation has a missing or invalid extension.
func Parse(source []byte) (*Contract, error) {
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData(source)
	if err != nil {
		return nil, fmt.Errorf("parse openapi.yaml: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check openapi.yaml: %w", err)
	}
	c := &Contract{Document: document, byRoute: make(map[route]*Operation), router: chi.NewRouter()}
	var problems []error
	for path, item := range document.Paths.Map() {
		for method, spec := range item.Operations() {
			o := &Operation{
				ID: spec.OperationID, Method: method, Path: path, Spec: spec,
				Parameters: slices.Concat(item.Parameters, spec.Parameters),
			}
			if err := o.readExtensions(document); err != nil {
				problems = append(problems, fmt.Errorf("openapi.yaml: %s %s: %w", method, path, err))
			}
			c.add(o)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	slices.SortFunc(c.operations, func(a, b *Operation) int {
		return slices.Compare([]string{a.Path, a.Method}, []string{b.Path, b.Method})
	})
	return c, nil
}

// The parameters that name the project that a caller acts in.
const (
	ProjectHeader    = "Project"
	ProjectParameter = "project"
)

// dataServices are the services of which every operation is in a project.
var dataServices = []string{"catalog", "ingest", "analytics"}

// operationsTag marks the operations that every process answers: health, metrics, documentation.
const operationsTag = "operations"

func (o *Operation) readExtensions(document *openapi3.T) (err error) {
	if len(o.Spec.Tags) != 1 {
		return errors.New("needs exactly one tag, which names its service")
	}
	o.Service, o.RoutedTo = o.Spec.Tags[0], o.Spec.Tags[0]
	o.ProjectInPath = o.Parameters.GetByInAndName(openapi3.ParameterInPath, ProjectParameter) != nil
	o.InProject = o.ProjectInPath || o.Parameters.GetByInAndName(openapi3.ParameterInHeader, ProjectHeader) != nil
	if o.Access, err = accessOf(document, o); err != nil {
		return err
	}
	if !o.InProject && slices.Contains(dataServices, o.Service) && !o.Access.onlyAdmins() {
		return errors.New("needs the parameter Project, as everything of its service belongs to a project")
	}
	if o.Audit, err = auditOf(o); err != nil {
		return err
	}
	routedTo, given := o.Spec.Extensions["x-routed-to"]
	switch {
	case o.Service == operationsTag:
		var ok bool
		if o.RoutedTo, ok = routedTo.(string); given && !ok {
			return fmt.Errorf("x-routed-to: must be the name of a service, not %v", routedTo)
		}
	case given:
		return fmt.Errorf("x-routed-to: is only for operations with the tag %s", operationsTag)
	}
	if value, ok := o.Spec.Extensions["x-limits"]; ok {
		if err := decodeExtension(value, &o.Limits); err != nil {
			return fmt.Errorf("x-limits: %w", err)
		}
	}
	switch value := o.Spec.Extensions["x-cross-origin"]; value {
	case nil:
	case true:
		o.CrossOrigin = true
	default:
		return fmt.Errorf("x-cross-origin: unknown value %q", value)
	}
	switch value := o.Spec.Extensions["x-credentials"]; value {
	case nil:
	case "body":
		o.KeyInBody = true
	default:
		return fmt.Errorf("x-credentials: unknown value %q", value)
	}
	switch value := o.Spec.Extensions["x-validation"]; value {
	case nil:
	case "handler":
		o.HandlerValidates = true
	default:
		return fmt.Errorf("x-validation: unknown value %q", value)
	}
	return nil
}

func (c *Contract) add(o *Operation) {
	c.operations = append(c.operations, o)
	c.byRoute[route{o.Method, o.Path}] = o
	c.router.Method(o.Method, o.Path, http.NotFoundHandler()) // Find matches with it; it never serves.
}

// Operations returns all operations, ordered by path and method.
func (c *Contract) Operations() []*Operation { return c.operations }

// Find returns the operation that answers r. chi matches the routes, as in the services, so that both always agree.
func (c *Contract) Find(r *http.Request) (*Operation, bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // services answer it as GET
	}
	pattern := c.router.Find(chi.NewRouteContext(), method, routePath(r.URL))
	operation, ok := c.byRoute[route{method, pattern}]
	return operation, ok
}

// HasPath reports whether the path of r exists with any method.
func (c *Contract) HasPath(r *http.Request) bool {
	return slices.ContainsFunc(c.operations, func(o *Operation) bool {
		return c.router.Match(chi.NewRouteContext(), o.Method, routePath(r.URL))
	})
}

// HasPreflight reports whether the path of r is one whose operations pages of other origins may call.
func (c *Contract) HasPreflight(r *http.Request) bool {
	return slices.ContainsFunc(c.operations, func(o *Operation) bool {
		return o.CrossOrigin && c.router.Find(chi.NewRouteContext(), o.Method, routePath(r.URL)) == o.Path
	})
}

// routePath returns the path by which chi routes.
func routePath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.Path
}

// PathParameter returns the decoded value of a path parameter of r, which chi has routed. The generated handlers decode
// in the same way, so that access is checked for the value with which they work.
func PathParameter(r *http.Request, name string) string {
	value := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return value // chi routed by the decoded path
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// DefaultMaxBody is the limit of a body in bytes if x-max-bytes sets no other.
const DefaultMaxBody = 64 << 10

// MaxBody returns the limit of a request body in bytes.
func MaxBody(body *openapi3.RequestBody) int64 {
	if limit, ok := body.Extensions["x-max-bytes"].(float64); ok {
		return int64(limit)
	}
	return DefaultMaxBody
}
