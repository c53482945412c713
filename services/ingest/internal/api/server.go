// Package api is the HTTP side of ingest: who may do what, bodies in, answers out. The types and routes are generated
// from openapi.yaml; decoding and validation are not, because one bad event must not cost its neighbours.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/body"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
)

// Server answers the ingest operations of openapi.yaml.
type Server struct {
	recorder *event.Recorder
	store    *postgres.Store
	bodies   *body.Opener
	lines    decode.Lines
	folded   *folded.Watcher
	limiter  *ratelimit.Limiter // nil: no limit
	logger   *slog.Logger
	outcomes *outcomes
}

var _ ServerInterface = (*Server)(nil)

// New returns a server. limiter may be nil for no limit.
func New(recorder *event.Recorder, store *postgres.Store, bodies *body.Opener, watcher *folded.Watcher, limiter *ratelimit.Limiter, logger *slog.Logger, registerer prometheus.Registerer) *Server {
	return &Server{recorder: recorder, store: store, bodies: bodies, folded: watcher, limiter: limiter, logger: logger, outcomes: newOutcomes(registerer)}
}

// Mount adds the handlers of the operations to r. Those that write validate their requests by themselves.
func (s *Server) Mount(r chi.Router) {
	HandlerWithOptions(s, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
		problem.Write(w, r, parameterError(err))
	}})
}

// parameterError gives an error of the generated code a meaning.
func parameterError(err error) error {
	if bad, ok := errors.AsType[*InvalidParamFormatError](err); ok {
		if bad.ParamName == "wait" {
			return errBadWait.Because(err)
		}
	}
	return errBadIdempotencyKey.Because(err)
}

// respond writes an answer other than an error.
func respond(w http.ResponseWriter, status int, answer any) error {
	content, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(content, '\n'))
	return nil
}
