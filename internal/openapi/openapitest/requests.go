package openapitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// Request is a valid request of an operation, made from the examples of the contract, with nothing that is optional.
type Request struct {
	Operation string // its id
	Service   string // its tag
	Method    string
	Path      string            // the template
	Params    map[string]string // values of the path parameters
	Query     url.Values        // values of the required query parameters
	Self      string            // the path parameter that x-access compares with the caller's id; may be empty
	MediaType string            // of the body; empty without one
	Body      string
}

// Target returns the path of the request, with its query.
func (r Request) Target() string {
	path := r.Path
	for name, value := range r.Params {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if len(r.Query) > 0 {
		path += "?" + r.Query.Encode()
	}
	return path
}

// Requests returns a request for every operation, in the order of the document's tags, then by path and method.
func Requests(tb testing.TB) []Request {
	tb.Helper()
	c, err := contract.Load()
	if err != nil {
		tb.Fatal(err)
	}
	var requests []Request
	for _, tag := range c.Document.Tags {
		for _, o := range c.Operations() {
			if o.Service != tag.Name {
				continue
			}
			request, err := requestOf(o)
			if err != nil {
				tb.Fatalf("%s: %v", o.ID, err)
			}
			requests = append(requests, request)
		}
	}
	return requests
}

// MaxBody returns the limit of the body of an operation in bytes.
func MaxBody(tb testing.TB, operation string) int64 {
	tb.Helper()
	c, err := contract.Load()
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range c.Operations() {
		if o.ID == operation && o.Spec.RequestBody != nil {
			return contract.MaxBody(o.Spec.RequestBody.Value)
		}
	}
	tb.Fatalf("there is no operation %s with a body", operation)
	return 0
}

func requestOf(o *contract.Operation) (Request, error) {
	r := Request{
		Operation: o.ID, Service: o.Service, Method: o.Method, Path: o.Path,
		Params: make(map[string]string), Query: make(url.Values), Self: o.Access.Self,
	}
	for _, ref := range o.Parameters {
		switch p := ref.Value; {
		case p.In == "path":
			r.Params[p.Name] = fmt.Sprint(p.Example)
		case p.Required && p.In == "query":
			r.Query.Set(p.Name, fmt.Sprint(p.Example))
		case p.Required:
			return Request{}, fmt.Errorf("parameter %s is required, which is not supported here", p.Name)
		}
	}
	if o.Spec.RequestBody == nil {
		return r, nil
	}
	content := o.Spec.RequestBody.Value.Content
	r.MediaType = slices.Sorted(maps.Keys(content))[0]
	examples := content[r.MediaType].Examples
	example := examples[slices.Sorted(maps.Keys(examples))[0]].Value.Value
	if text, ok := example.(string); ok { // not JSON
		r.Body = text
		return r, nil
	}
	body, err := json.Marshal(example)
	r.Body = string(body)
	return r, err
}
