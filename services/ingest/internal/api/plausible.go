package api

import (
	"io"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/plausible"
)

// SendPlausible answers POST /plausible/{key}/api/event.
func (s *Server) SendPlausible(w http.ResponseWriter, r *http.Request, key string) {
	err := requireText(r)
	if err == nil {
		err = s.storePlausible(w, r, key)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "ok") // the client may be gone
}

var plausibleFormat = format[event.Draft]{
	bytes: plausible.MaxBody, tooLarge: plausible.ErrTooLarge, memory: plausible.Memory,
	parse: func(body []byte, _ authn.Principal) (event.Draft, int, error) {
		draft, err := plausible.Parse(body)
		return draft, 1, err
	},
}

// storePlausible stores the event of the body for the visitor of the day.
func (s *Server) storePlausible(w http.ResponseWriter, r *http.Request, key string) error {
	return receive(s, w, r, key, plausibleFormat, func(k *keyed, draft event.Draft) error {
		if k.dropped(r, 1) {
			w.Header().Set("X-Plausible-Dropped", "1")
			return nil
		}
		foreign.Users(&draft.FactDraft, "", foreign.Text(s.visitors.ID(k.ctx, k.caller.KeyID, httpserver.ClientNetwork(k.ctx), r.UserAgent())))
		_, err := k.store([]event.Draft{draft})
		return err
	})
}
