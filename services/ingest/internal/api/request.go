package api

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

// terms are the bounds of a body of at most limit bytes.
func terms(r *http.Request, caller authn.Principal, limit int64, tooLarge error, quota *bill) body.Terms {
	holder := inflight.Holder{Caller: caller.Owner, Address: httpserver.ClientNetwork(r.Context())}
	return body.Terms{Holder: holder, Bytes: limit, TooLarge: tooLarge, Charge: quota.bytes}
}

// readDocument returns the decompressed body of a request, which must be one JSON document. release
// returns its memory to the budget.
func (s *Server) readDocument(w http.ResponseWriter, r *http.Request, terms body.Terms) (data []byte, release func(), err error) {
	if err := body.RequireJSON(r); err != nil {
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
