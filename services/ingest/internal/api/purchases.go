package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
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
	if err == nil {
		err = checkWait(params.Wait)
	}
	if err != nil {
		return err
	}
	stored, replayed, err := s.storePurchase(w, r, caller, params.IdempotencyKey)
	s.outcomes.purchase(replayed, err)
	if err != nil {
		return err
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	status := http.StatusCreated
	if params.Wait != nil {
		status = http.StatusAccepted
		if s.folded.Wait(r.Context(), stored.Batch) {
			status = http.StatusOK
		}
	}
	return respond(w, status, purchase(stored))
}

// storePurchase stores the purchase of the body. The memory of the body is released when it returns.
func (s *Server) storePurchase(w http.ResponseWriter, r *http.Request, caller authn.Principal, header *string) (stored event.Purchase, replayed bool, err error) {
	quota := s.bill(r.Context(), w, caller)
	data, release, err := s.readDocument(w, r, terms(r, caller, event.MaxBytes, errPurchaseTooLarge, quota))
	if err != nil {
		return event.Purchase{}, false, err
	}
	defer release()
	key, err := idempotencyKey(header, caller, data)
	if err != nil {
		return event.Purchase{}, false, err
	}
	draft, err := decode.Purchase(data)
	if err != nil {
		return event.Purchase{}, false, err
	}
	return s.recorder.Purchase(r.Context(), callerOf(caller), draft, key)
}

// idempotencyKey returns the key of the request, nil if it has none.
func idempotencyKey(header *string, caller authn.Principal, data []byte) (*event.IdempotencyKey, error) {
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
	return &event.IdempotencyKey{Principal: caller.Owner, Key: *header, BodyHash: sha256.Sum256(data)}, nil
}
