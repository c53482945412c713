// Package problem writes errors as RFC 9457 problem documents. It is the only place that maps error kinds to HTTP statuses, and
// the only place where an error leaves the process.
package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// ContentType is the media type of a problem document (RFC 9457, section 3).
const ContentType = "application/problem+json"

// TypeBase prefixes a problem's code to form its type URI.
const TypeBase = "https://hp-analytics.dev/problems/"

// defaultRetryAfter is sent with 429 and 503 when the error does not say how long to wait.
const defaultRetryAfter = time.Second

// Document is the JSON body of an error response.
type Document struct {
	Type    string       `json:"type"`
	Title   string       `json:"title"`
	Status  int          `json:"status"`
	Code    string       `json:"code"`
	Detail  string       `json:"detail,omitempty"`
	Errors  []errs.Field `json:"errors,omitempty"`
	TraceID string       `json:"trace_id,omitempty"`
}

var statuses = map[errs.Kind]int{
	errs.Internal:         http.StatusInternalServerError,
	errs.Malformed:        http.StatusBadRequest,
	errs.Invalid:          http.StatusUnprocessableEntity,
	errs.Unauthenticated:  http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.Conflict:         http.StatusConflict,
	errs.Stale:            http.StatusPreconditionFailed,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.UnsupportedMedia: http.StatusUnsupportedMediaType,
	errs.NotAcceptable:    http.StatusNotAcceptable,
	errs.TooMany:          http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
}

// Status returns the HTTP status for err.
func Status(err error) int {
	return statuses[public(err).Kind]
}

// Write responds with err as a problem document, whatever the request accepts: its status says more than a 406 would. An error without a kind becomes a 500 that hides its text. The Recorder in the
// context receives the full error for the access log.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	e := public(err)
	status := statuses[e.Kind]
	header := w.Header()
	if e.Kind == errs.TooMany || e.Kind == errs.Unavailable || e.RetryAfter > 0 {
		header.Set("Retry-After", retryAfterSeconds(e.RetryAfter))
	}
	if e.Kind == errs.Unauthenticated {
		header.Set("WWW-Authenticate", `Bearer realm="hp-analytics"`)
	}
	if rec, ok := r.Context().Value(recorderKey{}).(*Recorder); ok {
		rec.Err = err
	}
	WriteDocument(w, r, status, e)
}

// WriteDocument writes e with an explicit status. The router needs this for 404 and 405, which have no kind of their own.
func WriteDocument(w http.ResponseWriter, r *http.Request, status int, e *errs.Error) {
	traceID := ""
	if sc := trace.SpanContextFromContext(r.Context()); sc.HasTraceID() {
		traceID = sc.TraceID().String()
	}
	body := encode(status, e, traceID)
	header := w.Header()
	header.Del("Content-Length")
	header.Del("ETag")
	header.Set("Content-Type", ContentType)
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have disconnected
}

// Encode returns the status and the body of the answer to err, for an answer that is the same for every request. It has no trace_id.
func Encode(err error) (status int, body []byte) {
	e := public(err)
	status = statuses[e.Kind]
	return status, encode(status, e, "")
}

// encode returns the document of e on a line.
func encode(status int, e *errs.Error, traceID string) []byte {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // people read "Bearer <token>" in a terminal; the media type is never HTML
	_ = encoder.Encode(Document{ // strings and ints only: cannot fail
		Type:    TypeBase + e.Code,
		Title:   http.StatusText(status),
		Status:  status,
		Code:    e.Code,
		Detail:  e.Detail,
		Errors:  e.Fields,
		TraceID: traceID,
	})
	return body.Bytes()
}

// public returns the part of err that the caller may see.
func public(err error) *errs.Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errs.New(errs.TooLarge, "body_too_large",
			"The request body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes.")
	}
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e
	}
	return errs.New(errs.Internal, "internal", "Something went wrong on our side. Quote the trace_id when you report it.")
}

func retryAfterSeconds(d time.Duration) string {
	if d <= 0 {
		d = defaultRetryAfter
	}
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}
