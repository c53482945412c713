package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/openapi/apifuzz"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

// judge decides whether an answer is right.
type judge struct {
	rules *openapitest.Rules
}

// problems returns what is wrong with an answer.
func (j judge) problems(r *apifuzz.Request, response *http.Response, body []byte) (all []string) {
	status := response.StatusCode
	if strings.Contains(string(body), apifuzz.Marker) {
		all = append(all, "the answer repeats a secret of the request")
	}
	u, unreadable := url.ParseRequestURI(r.Target())
	if r.Wire || unreadable != nil || malformed(r) {
		return append(all, ofServer(response)...)
	}
	if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable {
		all = append(all, "the platform failed")
	}
	all = append(all, j.rules.Problems(&http.Request{Method: r.Method, URL: u}, response, body)...)
	if status >= http.StatusBadRequest {
		if leak := internals.Find(body); leak != nil {
			all = append(all, fmt.Sprintf("the answer shows internals: %q", leak))
		}
		all = append(all, incomplete(r, response, body)...)
	}
	if r.Refused && status < http.StatusBadRequest && !rejects(body) && !repaired(body) && !tolerated(r) {
		all = append(all, "the platform accepts what the contract refuses")
	}
	return all
}

// malformed reports whether a field of the header has a byte that HTTP does not allow (RFC 9110, section 5.5).
func malformed(r *apifuzz.Request) bool {
	return slices.ContainsFunc(r.Header, func(f apifuzz.Field) bool {
		return strings.ContainsFunc(f.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	})
}

// ofServer returns what is wrong with an answer to what is no HTTP. The server of Go gives it, in plain text, and ends the connection.
func ofServer(response *http.Response) []string {
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return nil
	default:
		return []string{"this is no HTTP, and was not refused as such"}
	}
}

// internals matches what is never in an error for clients: stacks, SQL and its errors, files, addresses, names of Go.
var internals = regexp.MustCompile(`goroutine \d|runtime error|panic|SQLSTATE|pgx|(?i:\b(select|insert into|update|delete from)\b.*\b(from|values|set|where)\b)|/(usr|tmp|home|var|root|work|proc|go)/[a-z]|\.go:\d|dial tcp|127\.0\.0\.1:\d|json: cannot|strconv\.|unexpected EOF|\*errors\.|0x[0-9a-f]{8}`)

// incomplete returns what is missing in a problem document.
func incomplete(r *apifuzz.Request, response *http.Response, body []byte) (all []string) {
	if r.Method == http.MethodHead || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		return nil
	}
	var problem struct {
		Type, Title, Code, Detail string
		Status                    int
	}
	if err := json.Unmarshal(body, &problem); err != nil {
		return []string{"the problem document is no JSON"}
	}
	if problem.Status != response.StatusCode || problem.Title != http.StatusText(response.StatusCode) || !strings.HasSuffix(problem.Type, "/"+problem.Code) {
		all = append(all, "status, title, type and code of the problem document do not belong together")
	}
	if !strings.HasSuffix(problem.Detail, ".") {
		all = append(all, fmt.Sprintf("detail is no sentence: %q", problem.Detail))
	}
	return all
}

// rejects reports whether an answer with success refuses one of many items.
func rejects(body []byte) bool {
	var result struct {
		Errors []any `json:"errors"`
	}
	return json.Unmarshal(body, &result) == nil && len(result.Errors) > 0
}

// repaired reports whether an answer with success says that a text of the request was repaired: properties are stored without what no
// database stores.
func repaired(body []byte) bool {
	var result struct {
		Warnings []struct {
			Code string `json:"code"`
		} `json:"warnings"`
	}
	_ = json.Unmarshal(body, &result) // another answer has no warnings
	for _, w := range result.Warnings {
		if w.Code == "characters_replaced" {
			return true
		}
	}
	return false
}

// tolerated reports whether only the messages of a request for the API of Segment, PostHog or Plausible, its CloudEvents or log records, are broken: they
// are answered with success whatever those hold.
func tolerated(r *apifuzz.Request) bool {
	of := r.Operation == "sendSegment" || strings.HasPrefix(r.Operation, "sendPostHog") || r.Operation == "sendPlausible" || r.Operation == "sendCloudEvents" || r.Operation == "sendOTLPLogs"
	return of && !strings.HasPrefix(r.Kind, "caller") && !strings.HasPrefix(r.Kind, "project")
}
