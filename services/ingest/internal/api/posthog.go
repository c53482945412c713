package api

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/posthog"
)

var errNoPostHogCall = errs.New(errs.NotFound, "no_such_path", "There is no such call of PostHog's API here.")

// SendPostHog answers POST /posthog/{call}/, as libraries have it.
func (s *Server) SendPostHog(w http.ResponseWriter, r *http.Request, call SendPostHogParamsCall) {
	s.answerPostHog(w, r, string(call))
}

// SendPostHogPlain answers POST /posthog/{call}, as people have it.
func (s *Server) SendPostHogPlain(w http.ResponseWriter, r *http.Request, call SendPostHogPlainParamsCall) {
	s.answerPostHog(w, r, string(call))
}

// SendPostHogEvent answers POST /posthog/i/v0/e/.
func (s *Server) SendPostHogEvent(w http.ResponseWriter, r *http.Request) { s.answerPostHog(w, r, "e") }

// SendPostHogEventPlain answers POST /posthog/i/v0/e.
func (s *Server) SendPostHogEventPlain(w http.ResponseWriter, r *http.Request) {
	s.answerPostHog(w, r, "e")
}

// answerPostHog answers with 200 if everything is decided. Libraries send a whole request again after an error of the server, and what was
// stored of it is recognized then. Those for browsers do so after any other status below 400, too.
func (s *Server) answerPostHog(w http.ResponseWriter, r *http.Request, call string) {
	var err error
	switch call {
	case "e", "batch", "capture":
		if err = s.storePostHog(w, r); err == nil {
			err = respond(w, http.StatusOK, PostHogResult{Status: 1})
		}
	case "flags", "decide":
		if err = s.knownPostHog(w, r); err == nil {
			none, failed := map[string]any{}, false
			err = respond(w, http.StatusOK, PostHogResult{
				Status: 1, Flags: &none, FeatureFlags: &none, FeatureFlagPayloads: &none, ErrorsWhileComputingFlags: &failed,
			})
		}
	default:
		err = errNoPostHogCall
	}
	if err != nil {
		problem.Write(w, r, err)
	}
}

var posthogFormat = format[posthog.Request]{
	bytes: posthog.MaxBody, tooLarge: posthog.ErrTooLarge, sniffGzip: true, unwrap: posthog.Unwrap, key: posthog.Key, memory: posthog.Memory,
	parse: func(body []byte, _ authn.Principal) (posthog.Request, int, error) {
		request, err := posthog.Parse(body)
		return request, request.Len(), err
	},
}

// storePostHog stores what the body holds.
func (s *Server) storePostHog(w http.ResponseWriter, r *http.Request) error {
	return receive(s, w, r, "", posthogFormat, func(k *keyed, request posthog.Request) error {
		if k.dropped(r, request.Len()) {
			return nil
		}
		stored, err := k.store(request.Events())
		if err == nil {
			k.tell(stored, request.Len())
		}
		return err
	})
}

// knownPostHog checks the key of a request that asks for feature flags. There are none, for nobody.
func (s *Server) knownPostHog(w http.ResponseWriter, r *http.Request) error {
	return receive(s, w, r, "", posthogFormat, func(*keyed, posthog.Request) error { return nil })
}
