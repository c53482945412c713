package order

import (
	"errors"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Codes of problems, beside those of events. openapi.yaml explains each.
const (
	CodeNoPrice        = "no_price"
	CodeAmountTooLarge = "amount_too_large"
	CodePriceForbidden = "price_forbidden"
	CodeTooManyLines   = "too_many_lines"
	CodeConflict       = "conflict"
	CodeRefundTooLarge = "refund_too_large"
	CodeNotInOrder     = "not_in_order"
)

// Errors of an order or a refund.
var (
	ErrKeyInFlight error = errs.New(errs.Conflict, "idempotency_key_in_flight",
		"The first request with this Idempotency-Key is still running. Try again shortly.").After(time.Second)
	ErrKeyReused error = errs.New(errs.Invalid, "idempotency_key_reused",
		"This Idempotency-Key was used with another body. Use a new key for another purchase.",
		errs.Field{Pointer: "/header/Idempotency-Key", Code: "idempotency_key_reused", Detail: "Was used with another body."})
	// ErrConflict is the answer to an id that another order or refund has.
	ErrConflict error = errs.New(errs.Conflict, CodeConflict,
		"This id was used with other content. Send the same content again for a retry, or use a new id.")
	// ErrUnknown is the answer to the id of no order of the project.
	ErrUnknown error = errs.New(errs.NotFound, "not_found", "There is no order with this id.")
)

// ErrProductChanged says that a product of an order is not what the order was examined with: it has another SKU or, for a line at
// the list price, another price. The order can be examined and stored again.
var ErrProductChanged = errors.New("a product has changed since it was looked up")
