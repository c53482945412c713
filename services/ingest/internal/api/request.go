package api

import (
	"mime"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

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

// terms are the bounds of a body of at most limit bytes.
func terms(r *http.Request, caller authn.Principal, limit int64, tooLarge error, quota *bill) body.Terms {
	holder := inflight.Holder{Caller: caller.Owner, Address: httpserver.ClientNetwork(r.Context())}
	return body.Terms{Holder: holder, Bytes: limit, TooLarge: tooLarge, Charge: quota.bytes}
}

// readDocument returns the decompressed body of a request, which must be one JSON document. release
// returns its memory to the budget.
func (s *Server) readDocument(w http.ResponseWriter, r *http.Request, terms body.Terms) (data []byte, release func(), err error) {
	kind, err := mediaOf(r)
	if err == nil && kind != jsonDocument {
		err = errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send application/json.")
	}
	if err != nil {
		return nil, nil, err
	}
	content, err := s.bodies.Open(w, r, terms)
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
