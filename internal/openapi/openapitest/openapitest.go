// Package openapitest checks the answers of handlers against openapi.yaml: the status is documented, the headers are
// present and well-formed, the body has the documented media type and exactly the documented members. It also records which
// operations were exercised, so that a test can require all of them:
//
//	checker := openapitest.New(t)
//	handler := checker.Handler(service.Routes())
//	… exercise handler …
//	if missing := checker.Missing("catalog"); len(missing) > 0 {
//		t.Errorf("operations that no test called with success: %v", missing)
//	}
package openapitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// Checker checks answers. It is safe for concurrent use, and may be used until the test that it was made for ends.
type Checker struct {
	*Rules
	tb testing.TB

	mu        sync.Mutex
	exercised map[string]bool
}

// New returns a Checker that reports to tb.
func New(tb testing.TB) *Checker {
	tb.Helper()
	rules, err := LoadRules()
	if err != nil {
		tb.Fatal(err)
	}
	return &Checker{Rules: rules, tb: tb, exercised: make(map[string]bool)}
}

// Handler returns h with its answers checked.
func (c *Checker) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := &keeper{ResponseWriter: w}
		asked := r.Clone(r.Context()) // routers change r
		h.ServeHTTP(kept, r)
		c.check(asked, kept.answer())
	})
}

// Transport returns rt, or http.DefaultTransport for nil, with the answers of servers checked.
func (c *Checker) Transport(rt http.RoundTripper) http.RoundTripper {
	if rt == nil {
		rt = http.DefaultTransport
	}
	return transport{c, rt}
}

type transport struct {
	checker *Checker
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.Header.Get("Content-Type") == "text/event-stream" { // it does not end, and only JSON has a schema to check
		t.checker.check(r, answer{status: response.StatusCode, header: response.Header})
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer to %s %s: %w", r.Method, r.URL.Path, err)
	}
	if err := response.Body.Close(); err != nil {
		return nil, fmt.Errorf("close the answer to %s %s: %w", r.Method, r.URL.Path, err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	t.checker.check(r, answer{status: response.StatusCode, header: response.Header, body: body})
	return response, nil
}

// Exercised returns the ids of the operations that were answered with success (a status below 400), sorted.
func (c *Checker) Exercised() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id := range c.exercised {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Missing returns the operations of tag that were not exercised yet.
func (c *Checker) Missing(tag string) []string {
	exercised := c.Exercised()
	return slices.DeleteFunc(operations(c.contract, tag), func(id string) bool { return slices.Contains(exercised, id) })
}

// Operations returns the ids of the operations with the given tag, sorted: auth, catalog, ingest, analytics or
// operations.
func Operations(tb testing.TB, tag string) []string {
	tb.Helper()
	c, err := contract.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return operations(c, tag)
}

func operations(c *contract.Contract, tag string) []string {
	var ids []string
	for _, o := range c.Operations() {
		if o.Service == tag {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// check reports what is wrong with an answer.
func (c *Checker) check(r *http.Request, a answer) {
	c.tb.Helper()
	operation, problems := c.problems(r, a)
	c.report(r, a, problems)
	if operation != nil && len(problems) == 0 && a.status < http.StatusBadRequest {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.exercised[operation.ID] = true
	}
}

func (c *Checker) report(r *http.Request, a answer, problems []string) {
	c.tb.Helper()
	if len(problems) > 0 {
		c.tb.Errorf("%s %s does not answer as openapi.yaml says:\n  %s\nstatus %d, header %v\nbody %s",
			r.Method, r.URL.RequestURI(), strings.Join(problems, "\n  "), a.status, a.header, a.body)
	}
}
