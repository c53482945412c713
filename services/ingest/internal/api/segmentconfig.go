package api

import (
	"net/http"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// Libraries for browsers ask for settings before they send anything. The answers are the same for every key, which is not looked up: so
// nobody finds out by them which keys there are.

// GetSegmentSettings answers GET /segment/v1/projects/{key}/settings: where Segment's library is to send, and that nothing else is
// to be loaded.
func (s *Server) GetSegmentSettings(w http.ResponseWriter, r *http.Request, key string) {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	settings := SegmentSettings{Plan: map[string]any{}}
	settings.Integrations.SegmentIo = SegmentDestination{APIKey: key, APIHost: r.Host + "/segment/v1", Protocol: scheme}
	s.settings(w, r, settings)
}

// GetSourceConfig answers GET /segment/sourceConfig/: RudderStack's library sends to the address that it was given, and to nobody else.
func (s *Server) GetSourceConfig(w http.ResponseWriter, r *http.Request, _ GetSourceConfigParams) {
	var answer RudderSettings
	answer.Source = RudderSource{
		ID: rudderName, Name: rudderName, WorkspaceID: rudderName, Enabled: true,
		Config: map[string]any{}, Connections: []map[string]any{}, Destinations: []map[string]any{},
	}
	s.settings(w, r, answer)
}

// rudderName stands for what RudderStack knows of a source. The library only wants that there is something.
const rudderName = "hp-analytics"

func (s *Server) settings(w http.ResponseWriter, r *http.Request, answer any) {
	// Not for shared caches: the address in it is that by which the client reaches this server, which a cache in between need not know.
	w.Header().Set("Cache-Control", "private, max-age=300")
	if err := respond(w, http.StatusOK, answer); err != nil {
		problem.Write(w, r, err)
	}
}
