package body

import (
	"mime"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Format is how a body is written.
type Format int

// The formats. NDJSON has a JSON document on each line.
const (
	JSON Format = iota
	NDJSON
)

// FormatOf returns the format that the Content-Type of r names, JSON without one.
func FormatOf(r *http.Request) (Format, error) {
	name := "application/json"
	if header := r.Header.Get("Content-Type"); header != "" {
		parsed, _, err := mime.ParseMediaType(header)
		if err != nil {
			return 0, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "The Content-Type cannot be read.").Because(err)
		}
		name = parsed
	}
	switch name {
	case "application/json":
		return JSON, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return NDJSON, nil
	default:
		return 0, errs.New(errs.UnsupportedMedia, "unsupported_media_type",
			"Send application/json. Bulk operations take application/x-ndjson, too.")
	}
}
