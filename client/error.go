package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer that is not a success: the problem document of the platform (RFC 9457). If the answer is something
// else, such as the HTML page of a proxy, only Status and Title are set.
type Error struct {
	Problem
	// RetryAfter is how long the platform asks to wait before the next attempt; 0 if it does not say.
	RetryAfter time.Duration
	// Body is the answer as it came. That of a bulk request of which every item was refused (422) is the result of the operation.
	Body []byte
}

// Error returns the status, the code and every detail.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s", e.Status, e.Title)
	if e.Code != "" {
		text.WriteString(", " + e.Code)
	}
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

// answerError returns the error of an answer that is not a success.
func answerError(response *http.Response, body []byte) error {
	e := &Error{RetryAfter: retryAfter(response.Header), Body: body}
	if err := json.Unmarshal(body, &e.Problem); err != nil || e.Code == "" {
		e.Problem = Problem{}
	}
	e.Status, e.Title = response.StatusCode, http.StatusText(response.StatusCode)
	switch {
	case e.Status == http.StatusTooManyRequests:
		return &transientError{cause: e, after: e.RetryAfter, notDone: true}
	case e.Status == http.StatusBadGateway, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout,
		e.Code == "idempotency_key_in_flight": // the first attempt of the same purchase is still running
		return &transientError{cause: e, after: e.RetryAfter}
	default:
		return e
	}
}

// retryAfter reads the header in both of its forms, seconds and a date.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
