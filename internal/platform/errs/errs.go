// Package errs defines the error kinds that cross package boundaries.
//
// A domain or storage package describes a failure with a Kind. Only package problem maps kinds to HTTP statuses. The Detail,
// Code and Fields of an Error are written for the caller of the API and are the only parts that leave the process. A wrapped
// cause is only logged.
package errs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is the category of an error: what the caller can do about it.
type Kind int

// The kinds.
const (
	Internal         Kind = iota // a defect or an unexpected failure; the caller cannot fix it
	Malformed                    // the request cannot be parsed at all
	Invalid                      // the request was understood but its content is not acceptable
	Unauthenticated              // no or no valid credentials
	Forbidden                    // valid credentials without the right to do this
	NotFound                     // the addressed thing does not exist
	Conflict                     // the request conflicts with the current state
	Stale                        // a precondition (If-Match) no longer holds
	TooLarge                     // a body, batch or item is over its limit
	UnsupportedMedia             // the media type or encoding is not supported
	NotAcceptable                // the caller takes none of the media types that there are
	TooMany                      // a quota is used up; RetryAfter says when to retry
	Unavailable                  // a dependency or capacity is temporarily missing; RetryAfter says when to retry
)

var kindNames = [...]string{
	"internal", "malformed", "invalid", "unauthenticated", "forbidden", "not_found",
	"conflict", "stale", "too_large", "unsupported_media", "not_acceptable", "too_many", "unavailable",
}

// String returns the snake_case name of the kind, as used in metric labels.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return kindNames[k]
}

// Field names one problem inside a request.
type Field struct {
	Pointer string `json:"pointer"` // JSON pointer into the body ("/items/0/sku"), or /query/…, /path/…, /header/…
	Code    string `json:"code"`    // stable snake_case reason
	Detail  string `json:"detail"`  // a sentence that says how to fix it
}

// Error is an error that is meaningful to the caller of the API.
type Error struct {
	Kind       Kind
	Code       string        // stable snake_case identifier, finer than the kind
	Detail     string        // public sentence; never contains internal text or secrets
	Fields     []Field       // one entry for each problem found in the request
	RetryAfter time.Duration // for TooMany and Unavailable: when a retry can succeed; 0 lets package problem choose
	cause      error         // for the log only
}

// Error returns the public text followed by the wrapped cause; it is meant for logs, not for clients.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.Code + ": " + e.Detail)
	for _, f := range e.Fields {
		text.WriteString("; " + f.Pointer + " " + f.Code)
	}
	if e.cause != nil {
		text.WriteString(": " + e.cause.Error())
	}
	return text.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Because returns a copy of e that wraps cause. The cause is logged, never shown.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e that asks the caller to retry after d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// New returns an error of the given kind. Detail is shown to the caller.
func New(kind Kind, code, detail string, fields ...Field) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail, Fields: fields}
}

// KindOf returns the kind of the first *Error in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err has the given kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// CodeOf returns the code of the first *Error in err's chain, or "internal".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return "internal"
}
