package api

import (
	"context"
	"mime"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// limit takes n units of the caller's quota and describes the quota in the header of the answer.
func (s *Server) limit(ctx context.Context, w http.ResponseWriter, caller authn.Principal, n int) error {
	if s.limiter == nil {
		return nil
	}
	return s.limiter.Allow(ctx, w.Header(), caller.ID(), n)
}

// media is the format of a body.
type media int

const (
	jsonDocument media = iota
	ndjson
)

// mediaOf returns the media type of the body, JSON by default.
func mediaOf(r *http.Request) (media, error) {
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
		return jsonDocument, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return ndjson, nil
	default:
		return 0, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/json, or application/x-ndjson to /events/bulk.")
	}
}

// readDocument returns the decompressed body of a request, which must be one JSON document of at most limit bytes. release
// returns its memory to the budget.
func (s *Server) readDocument(w http.ResponseWriter, r *http.Request, limit int64, tooLarge error) (data []byte, release func(), err error) {
	kind, err := mediaOf(r)
	if err == nil && kind != jsonDocument {
		err = errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/json.")
	}
	if err != nil {
		return nil, nil, err
	}
	content, err := s.bodies.Open(w, r, limit, tooLarge)
	if err != nil {
		return nil, nil, err
	}
	data, err = content.ReadAll()
	if err != nil {
		content.Close()
		return nil, nil, err
	}
	return data, content.Close, nil
}
