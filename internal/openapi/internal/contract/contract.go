// Package contract is the parsed form of openapi.yaml: the operations, how a request finds its operation, and the
// formats of strings.
package contract

import (
	"context"
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
	Parameters openapi3.Parameters
	Spec       *openapi3.Operation
}

// Contract is the parsed and checked document.
type Contract struct {
	Document   *openapi3.T
	operations []*Operation
	byRoute    map[route]*Operation
	router     *chi.Mux
}

type route struct{ method, path string }

// Load parses the embedded document. It takes some milliseconds; callers keep the result.
func Load() (*Contract, error) {
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData([]byte(openapi.Source()))
	if err != nil {
		return nil, fmt.Errorf("parse openapi.yaml: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check openapi.yaml: %w", err)
	}
	c := &Contract{Document: document, byRoute: make(map[route]*Operation), router: chi.NewRouter()}
	for path, item := range document.Paths.Map() {
		for method, spec := range item.Operations() {
			c.add(&Operation{
				ID: spec.OperationID, Method: method, Path: path, Spec: spec,
				Parameters: slices.Concat(item.Parameters, spec.Parameters),
			})
		}
	}
	slices.SortFunc(c.operations, func(a, b *Operation) int {
		return slices.Compare([]string{a.Path, a.Method}, []string{b.Path, b.Method})
	})
	return c, nil
}

func (c *Contract) add(o *Operation) {
	c.operations = append(c.operations, o)
	c.byRoute[route{o.Method, o.Path}] = o
	c.router.Method(o.Method, o.Path, http.NotFoundHandler()) // only matched, never served
}

// Operations returns all operations, ordered by path and method.
func (c *Contract) Operations() []*Operation { return c.operations }

// Find returns the operation of r and its path parameters, decoded. Routes are matched by chi, as in the services, so
// that both always agree about which operation a request is for.
func (c *Contract) Find(r *http.Request) (*Operation, map[string]string, bool) {
	found := chi.NewRouteContext()
	pattern := c.router.Find(found, r.Method, routePath(r.URL))
	operation, ok := c.byRoute[route{r.Method, pattern}]
	if !ok {
		return nil, nil, false
	}
	params := make(map[string]string, len(found.URLParams.Keys))
	for i, name := range found.URLParams.Keys {
		value := found.URLParams.Values[i]
		if decoded, err := url.PathUnescape(value); err == nil {
			value = decoded
		}
		params[name] = value
	}
	return operation, params, true
}

// HasPath reports whether the path of r exists with any method.
func (c *Contract) HasPath(r *http.Request) bool {
	return slices.ContainsFunc(c.operations, func(o *Operation) bool {
		return c.router.Match(chi.NewRouteContext(), o.Method, routePath(r.URL))
	})
}

// routePath is what chi routes by.
func routePath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.Path
}
