package rows

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/negotiation"
)

// Format is the media type of an answer with rows.
type Format string

// The formats.
const (
	JSON   Format = "application/json"
	NDJSON Format = "application/x-ndjson"
	CSV    Format = "text/csv"
)

// ContentType returns the value of the header Content-Type.
func (f Format) ContentType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return string(f)
}

// Negotiate returns the format that a request prefers among those offered, by its header Accept. It is the first of those that are
// equally good, and the first of all if the header is missing or allows none of them: the edge has refused such a request.
func Negotiate(header http.Header, offered ...Format) Format {
	names := make([]string, len(offered))
	for i, f := range offered {
		names[i] = string(f)
	}
	if name, ok := negotiation.MediaType(header, names...); ok {
		return Format(name)
	}
	return offered[0]
}
