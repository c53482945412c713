package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// table is what gateways know about the contract.
type table struct {
	services []string // in the order of the document's tags
	routes   []route  // by service; those of the documentation come last
	shared   []string // paths that pages of other origins may call
}

// sharedPaths returns the paths of the operations with x-cross-origin.
func sharedPaths(c *contract.Contract) (paths []string) {
	for _, o := range c.Operations() {
		if o.CrossOrigin {
			paths = append(paths, o.Path)
		}
	}
	return slices.Compact(paths) // operations are sorted by path
}

// route sends everything under a first path segment to a service. No segment begins another, so the order of routes does
// not matter.
type route struct {
	segment       string
	file          bool // nothing is under it
	service       string
	documentation bool     // every process answers it; gateways ask this service
	maxBody       int64    // of its operations
	passwords     []string // paths of its operations that need a password
}

// routesOf derives the routes from the operations that gateways route.
func routesOf(c *contract.Contract) (*table, error) {
	bySegment := make(map[string]*route)
	for _, o := range c.Operations() {
		if o.RoutedTo == "" {
			continue
		}
		segment, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
		r, ok := bySegment[segment]
		if !ok {
			r = &route{segment: segment, file: segment == "" || path.Ext(segment) != "", service: o.RoutedTo, documentation: o.Service != o.RoutedTo}
			bySegment[segment] = r
		}
		if r.service != o.RoutedTo {
			return nil, fmt.Errorf("%s belongs to %s, but /%s is routed to %s", o.Path, o.RoutedTo, segment, r.service)
		}
		if body := o.Spec.RequestBody; body != nil {
			r.maxBody = max(r.maxBody, contract.MaxBody(body.Value))
			if needsPassword(body.Value) {
				r.passwords = append(r.passwords, o.Path)
			}
		}
	}
	tags := c.Document.Tags
	rank := func(r route) int {
		if r.documentation {
			return len(tags)
		}
		return slices.IndexFunc(tags, func(tag *openapi3.Tag) bool { return tag.Name == r.service })
	}
	t := &table{shared: sharedPaths(c)}
	for _, r := range bySegment {
		t.routes = append(t.routes, *r)
	}
	slices.SortFunc(t.routes, func(a, b route) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.segment, b.segment))
	})
	for _, r := range t.routes {
		if !r.documentation && !slices.Contains(t.services, r.service) {
			t.services = append(t.services, r.service)
		}
	}
	return t, nil
}

// needsPassword reports whether a JSON body has a required member of the format password. An optional one is that of a share link, which
// only those can guess who have its secret, and whose readers may be many behind one address.
func needsPassword(body *openapi3.RequestBody) bool {
	for _, media := range body.Content {
		for name, property := range media.Schema.Value.Properties {
			if property.Value.Format == "password" && slices.Contains(media.Schema.Value.Required, name) {
				return true
			}
		}
	}
	return false
}

// of returns the routes of a service, without those for the documentation.
func (t *table) of(service string) []route {
	return slices.DeleteFunc(slices.Clone(t.routes), func(r route) bool { return r.documentation || r.service != service })
}
