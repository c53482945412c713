package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keyInFlight is the code of a purchase whose first try is still being worked on.
const keyInFlight = "idempotency_key_in_flight"

// ProblemError is a refusal by the platform: a problem document (RFC 9457), or what there was instead of one.
type ProblemError struct {
	Status  int          `json:"-"`
	Code    string       `json:"code"`
	Detail  string       `json:"detail"`
	Errors  []FieldError `json:"errors"`
	TraceID string       `json:"trace_id"`
}

// FieldError is one problem inside a request.
type FieldError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error says what the platform said.
func (e *ProblemError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s", e.Status, e.Code)
	if e.Detail != "" {
		text.WriteString(": " + e.Detail)
	}
	for _, field := range e.Errors {
		fmt.Fprintf(&text, " [%s %s: %s]", field.Pointer, field.Code, field.Detail)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&text, " (trace %s)", e.TraceID)
	}
	return text.String()
}

// refusal returns the error of an answer that is none. It is transient when the platform, or a proxy in front of it,
// says that it is only busy or away.
func refusal(response *http.Response, body []byte) error {
	problem := &ProblemError{}
	if err := json.Unmarshal(body, problem); err != nil || problem.Code == "" {
		problem = &ProblemError{Code: http.StatusText(response.StatusCode)} // from something in between, that speaks HTML
	}
	problem.Status = response.StatusCode
	switch {
	case problem.Status == http.StatusTooManyRequests,
		problem.Status == http.StatusBadGateway,
		problem.Status == http.StatusServiceUnavailable,
		problem.Status == http.StatusGatewayTimeout,
		problem.Code == keyInFlight:
		return &transientError{cause: problem, after: retryAfter(response.Header)}
	default:
		return problem
	}
}

// retryAfter reads the header, which the contract gives in seconds; 0 means that there is none.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
