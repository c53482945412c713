package body

import (
	"mime"
	"net/http"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Format is how a body is written.
type Format int

// The formats. NDJSON has a JSON document on each line.
const (
	JSON Format = iota
	NDJSON
)

// FormatOf returns the format that the Content-Type of r names, JSON without one, for operations that take both.
func FormatOf(r *http.Request) (Format, error) {
	switch name := mediaType(r); name {
	case "application/json":
		return JSON, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return NDJSON, nil
	default:
		return 0, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/json or application/x-ndjson, in UTF-8.")
	}
}

// RequireJSON returns an error if the Content-Type of r names anything but JSON, for operations that take nothing else.
func RequireJSON(r *http.Request) error {
	if mediaType(r) != "application/json" {
		return errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/json in UTF-8.")
	}
	return nil
}

// mediaType returns the media type of a body; empty if it cannot be read or has another charset than UTF-8.
func mediaType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "application/json"
	}
	name, params, err := mime.ParseMediaType(header)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return name
}
