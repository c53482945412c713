package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
)

const (
	// defaultPage is the length of a page if the request has no limit.
	defaultPage = 50
	// exportCost is what an export takes of the quota, where a page takes 1.
	exportCost = 20
)

// HistoryOptions bound reads of raw rows.
type HistoryOptions struct {
	Limiter *ratelimit.Limiter // of requests; nil for no limit
	Exports int                // at the same time
	Timeout time.Duration      // of an export
	Stall   time.Duration      // how long a reader of an export may take nothing
}

// History answers reads of raw rows.
type History struct {
	store   *postgres.Store
	options HistoryOptions
	slots   chan struct{} // one for each export that runs
	logger  *slog.Logger
}

// NewHistory returns the handlers of raw rows.
func NewHistory(store *postgres.Store, options HistoryOptions, logger *slog.Logger) *History {
	return &History{store: store, options: options, slots: make(chan struct{}, options.Exports), logger: logger}
}

// ListEvents answers GET /events.
func (h *History) ListEvents(w http.ResponseWriter, r *http.Request, params ListEventsParams) {
	if err := h.listEvents(w, r, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (h *History) listEvents(w http.ResponseWriter, r *http.Request, params ListEventsParams) error {
	caller, err := h.charge(r.Context(), w, 1)
	if err != nil {
		return err
	}
	zones, err := h.store.Zones(r.Context(), caller.Project.ID)
	if err != nil {
		return err
	}
	query, asked, err := eventQuery(caller, zones, params)
	if err != nil {
		return err
	}
	page, err := h.store.Events(r.Context(), query)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rawEventPage(page, asked))
}

// ListUserEvents answers GET /users/{id}/events.
func (h *History) ListUserEvents(w http.ResponseWriter, r *http.Request, id string, params ListUserEventsParams) {
	if err := h.listUserEvents(w, r, id, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (h *History) listUserEvents(w http.ResponseWriter, r *http.Request, id string, params ListUserEventsParams) error {
	caller, err := h.charge(r.Context(), w, 1)
	if err != nil {
		return err
	}
	query := history.Timeline{Project: caller.Project.ID, UserID: normal(id), Limit: valueOr(params.Limit, defaultPage)}
	zones, err := h.store.Zones(r.Context(), caller.Project.ID)
	if err != nil {
		return err
	}
	from, to := valueOr(params.From, ""), valueOr(params.To, "")
	if query.Range, err = history.NewRange(from, to, zones); err != nil {
		return err
	}
	asked := fingerprint(caller, "user", query.UserID, from, to)
	if query.After, err = position(params.Cursor, asked); err != nil {
		return err
	}
	page, err := h.store.Timeline(r.Context(), query)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, timelinePage(page, asked))
}

// charge returns the caller and takes n units of its quota.
func (h *History) charge(ctx context.Context, w http.ResponseWriter, n int) (authn.Principal, error) {
	caller, err := authn.Require(ctx)
	if err != nil || h.options.Limiter == nil {
		return caller, err
	}
	return caller, h.options.Limiter.Allow(ctx, w.Header(), caller.QuotaKey(), n)
}

// position returns that of a cursor for what is asked, nil for none.
func position(cursor *string, asked string) (*history.Position, error) {
	if cursor == nil {
		return nil, nil
	}
	return history.ParsePosition(*cursor, asked)
}

// fingerprint returns the text by which cursors recognise the request that they belong to.
func fingerprint(caller authn.Principal, parts ...string) string {
	return caller.Project.Slug + "\x00" + strings.Join(parts, "\x00")
}

var (
	errUserAmbiguous error = errs.New(errs.Invalid, "user_ambiguous", "Name the user by user_id or the visitor by anonymous_id, not both.",
		errs.Field{Pointer: "/query/anonymous_id", Code: "user_ambiguous", Detail: "Leave out one of user_id and anonymous_id."})
	errProductAmbiguous error = errs.New(errs.Invalid, "product_ambiguous", "Name the product by product_id or by sku, not both.",
		errs.Field{Pointer: "/query/sku", Code: "product_ambiguous", Detail: "Leave out one of product_id and sku."})
	errOwnOnly error = errs.New(errs.Forbidden, "own_events_only", "You are no member of the project, so you can read your own events only.")
)

// eventQuery returns the query of a request, and the text by which its cursors recognise it.
func eventQuery(caller authn.Principal, zones localtime.History, p ListEventsParams) (q history.Query, asked string, err error) {
	q = history.Query{
		Project: caller.Project.ID, Type: normal(valueOr(p.Type, "")), SKU: normal(valueOr(p.SKU, "")),
		ProductID: valueOr(p.ProductID, uuid.Nil), Limit: valueOr(p.Limit, defaultPage),
	}
	switch {
	case p.UserID != nil && p.AnonymousID != nil:
		return q, "", errUserAmbiguous
	case p.ProductID != nil && p.SKU != nil:
		return q, "", errProductAmbiguous
	case p.UserID != nil:
		q.User = history.User{ID: normal(*p.UserID)}
	case p.AnonymousID != nil:
		q.User = history.User{ID: normal(*p.AnonymousID), Anonymous: true}
	}
	if caller.Guest || caller.Role == authn.User {
		own := history.User{ID: caller.Subject}
		if q.User != own && q.User != (history.User{}) {
			return q, "", errOwnOnly
		}
		q.User = own
	}
	from, to := valueOr(p.From, ""), valueOr(p.To, "")
	if q.Range, err = history.NewRange(from, to, zones); err != nil {
		return q, "", err
	}
	kind := "user"
	if q.User.Anonymous {
		kind = "anonymous"
	}
	asked = fingerprint(caller, "events", q.Type, kind, q.User.ID, q.ProductID.String(), q.SKU, from, to)
	q.After, err = position(p.Cursor, asked)
	return q, asked, err
}
