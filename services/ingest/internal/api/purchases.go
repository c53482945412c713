package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

const maxIdempotencyKey = 255

var errPurchaseTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("A purchase has at most %d bytes.", event.MaxBytes))

var errBadIdempotencyKey = event.Refusal([]errs.Field{{
	Pointer: "/header/Idempotency-Key", Code: event.CodeInvalidValue,
	Detail: "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters and no spaces.",
}})

// CreatePurchase answers POST /purchases.
func (s *Server) CreatePurchase(w http.ResponseWriter, r *http.Request, params CreatePurchaseParams) {
	if err := s.createPurchase(w, r, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createPurchase(w http.ResponseWriter, r *http.Request, params CreatePurchaseParams) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	key, err := idempotencyKey(params.IdempotencyKey, caller)
	if err == nil {
		err = checkWait(params.Wait)
	}
	if err != nil {
		return err
	}
	quota := s.bill(r.Context(), w, caller)
	draft, stored, err := s.storeOrder(w, r, caller, key, decode.Purchase, quota, terms(r, caller, event.MaxBytes, errPurchaseTooLarge, quota))
	if err != nil {
		return err
	}
	answer := purchase(&stored.Order)
	if !stored.Replayed {
		answer.Warnings = itemWarnings(0, draft.Clamped, draft.Replaced)
	}
	return respond(w, s.createdStatus(r.Context(), w, params.Wait, stored.Replayed, stored.Order.Batch), answer)
}

// createdStatus waits if the client asks for it, and returns the status of an order or refund that is stored.
func (s *Server) createdStatus(ctx context.Context, w http.ResponseWriter, wait *Wait, replayed bool, batch int64) int {
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	switch {
	case wait == nil:
		return http.StatusCreated
	case s.awaitFolded(ctx, batch):
		return http.StatusOK
	default:
		return http.StatusAccepted
	}
}

// idempotencyKey returns the key of the request, nil if it has none.
func idempotencyKey(header *string, caller authn.Principal) (*order.IdempotencyKey, error) {
	if header == nil {
		return nil, nil
	}
	if len(*header) == 0 || len(*header) > maxIdempotencyKey {
		return nil, errBadIdempotencyKey
	}
	for _, c := range []byte(*header) {
		if c < '!' || c > '~' {
			return nil, errBadIdempotencyKey
		}
	}
	key := &order.IdempotencyKey{Project: caller.Project.ID, Key: *header}
	if caller.Guest {
		key.Principal = caller.Subject
	}
	return key, nil
}

func purchase(o *order.Order) Purchase {
	line := &o.Lines[0]
	return Purchase{
		ID: o.ID, Number: optional(o.Number), BatchID: batchID(o.Batch), ProductID: line.ProductID, SKU: line.SKU,
		UserID: optional(o.UserID), AnonymousID: optional(o.AnonymousID),
		Quantity: line.Quantity, AmountMinor: line.AmountMinor, Currency: o.Currency,
		TS: o.TS.UTC(), ReceivedAt: o.ReceivedAt.UTC(),
	}
}

// optional returns nil for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
