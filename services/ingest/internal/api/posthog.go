package api

import (
	"net/http"
	"strconv"

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

// storePostHog stores what the body holds. The memory of the body is released when it returns.
func (s *Server) storePostHog(w http.ResponseWriter, r *http.Request) (err error) {
	k, request, release, err := s.readPostHog(w, r)
	if k != nil {
		defer k.settle(&err)
	}
	if err != nil {
		return err
	}
	defer release()
	if k.dropped(r, request.Len()) {
		return nil
	}
	stored, err := k.store(request.Events())
	if err == nil && k.caller.Public == nil { // a page does not learn what is stored
		w.Header().Set("Events-Accepted", strconv.Itoa(stored))
		w.Header().Set("Events-Rejected", strconv.Itoa(request.Len()-stored))
	}
	return err
}

// knownPostHog checks the key of a request that asks for feature flags. There are none, for nobody.
func (s *Server) knownPostHog(w http.ResponseWriter, r *http.Request) (err error) {
	k, _, release, err := s.readPostHog(w, r)
	if k != nil {
		defer k.settle(&err)
	}
	if err == nil {
		release()
	}
	return err
}

// readPostHog returns the messages of a request and its caller. The caller settles its quota, if it is not nil, and releases the body, if
// there is no error.
func (s *Server) readPostHog(w http.ResponseWriter, r *http.Request) (*keyed, posthog.Request, func(), error) {
	k, err := s.open(w, r, "")
	if err != nil {
		return nil, posthog.Request{}, nil, err
	}
	k.sniffGzip = true
	data, release, err := k.read(r, posthog.MaxBody, posthog.ErrTooLarge)
	if err != nil {
		return k, posthog.Request{}, nil, err
	}
	request, malformed := posthog.Parse(data)
	if err = k.take(request.Key, len(data), request.Len()); err == nil {
		err = malformed
	}
	if err != nil {
		release()
	}
	return k, request, release, err
}
