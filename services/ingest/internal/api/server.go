// Package api is the HTTP surface of ingest. internal/openapi/edge checks access. The handlers decode and validate requests
// by themselves (x-validation: handler), because that is faster and because one bad event must not fail the others of its
// request. api.gen.go is generated from the contract.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/visitor"
)

// Server implements the operations of the contract with the tag ingest.
type Server struct {
	*History // answers reads of raw rows

	recorder *event.Recorder
	orders   *order.Recorder
	store    *postgres.Store
	bodies   *body.Opener
	lines    decode.Lines
	folded   *folded.Watcher
	limits   Limits
	logger   *slog.Logger
	outcomes *outcomes

	rejections *rejections.Journal
	visitors   *visitor.Days
}

var _ ServerInterface = (*Server)(nil)

// Limits are the quotas of events. A limiter may be nil for no limit.
type Limits struct {
	Users  *ratelimit.Limiter // of callers with the role user
	Others *ratelimit.Limiter
	// Unidentified is of what one network sends without a valid key, in the units of the quotas.
	Unidentified *ratelimit.Limiter
	// Visitors is of what one address sends with one public key.
	Visitors *ratelimit.Limiter
	// Public is of each public key, whose quota is its own, or else PublicKey.
	Public    *ratelimit.Limiter
	PublicKey int
	// Projects is of all callers of a project together. The project says how much.
	Projects *ratelimit.Limiter
}

// New returns a server.
func New(recorder *event.Recorder, orders *order.Recorder, store *postgres.Store, bodies *body.Opener, watcher *folded.Watcher, limits Limits, refusals *rejections.Journal, visitors *visitor.Days, logger *slog.Logger, registerer prometheus.Registerer) *Server {
	return &Server{
		recorder: recorder, orders: orders, store: store, bodies: bodies, folded: watcher, limits: limits, logger: logger,
		outcomes: newOutcomes(registerer), rejections: refusals, visitors: visitors,
	}
}

// Mount adds the handlers of the operations to r. Those that write validate their requests by themselves.
func (s *Server) Mount(r chi.Router) {
	HandlerWithOptions(s, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
		problem.Write(w, r, parameterError(err))
	}})
}

// parameterError translates an error of the generated code.
func parameterError(err error) error {
	if bad, ok := errors.AsType[*InvalidParamFormatError](err); ok && bad.ParamName == "wait" {
		return errWaits.Because(err)
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
