package event

import (
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Codes of problems, as clients see them. openapi.yaml explains each.
const (
	CodeMalformed        = "malformed_json"
	CodeTooLarge         = "event_too_large"
	CodeUnknownField     = "unknown_field"
	CodeDuplicateField   = "duplicate_field"
	CodeWrongType        = "wrong_type"
	CodeRequired         = "required"
	CodeInvalidValue     = "invalid_value"
	CodeProductRequired  = "product_required"
	CodeProductAmbiguous = "product_ambiguous"
	CodeUnknownProduct   = "unknown_product"
	CodeUserRequired     = "user_id_required"
	CodeUserMismatch     = "user_id_mismatch"
	CodeTooManyTypes     = "too_many_event_types"
	CodeTooManyNewTypes  = "too_many_new_event_types"
	CodeAnonymousUser    = "anonymous_id_forbidden"
	CodeTooManyProducts  = "too_many_new_products"
	CodeConflict         = "conflict"
	CodeTooOld           = "ts_too_old"
	CodeTooManyWeeks     = "too_many_weeks"
	CodeTypeForbidden    = "type_forbidden"

	// The warnings.
	CodeReplaced   = "characters_replaced"
	CodeClamped    = "ts_clamped"
	CodePlainEvent = "plain_event"
	CodeNearlyFull = "event_types_nearly_full"
)

// FromStore reports whether a problem follows from what is stored, and so tells something of it. Whoever may not read is not told.
func FromStore(code string) bool {
	switch code {
	case CodeUnknownProduct, CodeTooManyProducts, CodeTooManyTypes, CodeTooManyNewTypes, CodeConflict, CodeTooManyWeeks:
		return true
	default:
		return false
	}
}

// ErrConflict is the answer to an event whose id and time are those of another event.
var ErrConflict = errs.New(errs.Conflict, CodeConflict,
	"An event with this id and ts and with another content is stored. Use a new id for another event.")

// Refusal is the error for a request whose only item has problems.
func Refusal(problems []errs.Field) *errs.Error {
	detail := "The request has a problem; see errors."
	if len(problems) > 1 {
		detail = fmt.Sprintf("The request has %d problems; see errors.", len(problems))
	}
	return errs.New(errs.Invalid, "validation_failed", detail, problems...)
}
