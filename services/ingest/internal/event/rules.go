package event

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

const (
	maxTypeLength   = 64
	maxUserIDLength = 128
	maxSKULength    = 64

	maxQuantity    = 1_000_000
	maxAmountMinor = 1_000_000_000_000
)

// Caller is who sends items.
type Caller struct {
	Owner   int64  // of what it sends
	Subject string // the calling user; empty for an API key
	// Customer is a user that anybody may be where registration is open. It sends what a visitor of a shop does: events of
	// the usual types, and purchases at the price of the catalog.
	Customer bool
}

// Rules decide what is accepted.
type Rules struct {
	// Retention is how old ts may be. Raw rows older than that are dropped, and without its raw row a retry is not recognized.
	Retention time.Duration
}

func (r Rules) retentionText() string {
	return strconv.Itoa(int(r.Retention.Hours()/24)) + " days"
}

// event checks a draft against the rules, except those about its product. ref names the product if it can be looked up. The
// event is valid if the draft is not refused.
func (r Rules) event(d *Draft, caller Caller, now time.Time) (e Event, ref Ref) {
	e.Type, e.Properties = d.Type, d.Properties
	if !d.sentBadly(FieldType) {
		checkType(d, caller)
	}
	e.Fact, ref = r.fact(&d.FactDraft, caller, now)
	return e, ref
}

// purchase does the same for a purchase.
func (r Rules) purchase(d *PurchaseDraft, caller Caller, now time.Time) (p Purchase, ref Ref) {
	p.Quantity, p.AmountMinor, p.Currency = d.Quantity, d.AmountMinor, d.Currency
	switch {
	case d.sentBadly(FieldQuantity):
	case !d.Has(FieldQuantity):
		d.Refuse("/quantity", CodeRequired, "quantity is required.")
	case d.Quantity < 1 || d.Quantity > maxQuantity:
		d.Refuse("/quantity", CodeInvalidValue, "quantity must be from 1 to 1000000.")
	}
	if d.Has(FieldAmount) && (d.AmountMinor < 0 || d.AmountMinor > maxAmountMinor) {
		d.Refuse("/amount_minor", CodeInvalidValue, "amount_minor must be from 0 to 1000000000000.")
	}
	if d.Has(FieldCurrency) && !validCurrency(d.Currency) {
		d.Refuse("/currency", CodeInvalidValue, "currency must be three capital letters.")
	}
	p.Fact, ref = r.fact(&d.FactDraft, caller, now)
	return p, ref
}

// fact checks the common part.
func (r Rules) fact(d *FactDraft, caller Caller, now time.Time) (f Fact, ref Ref) {
	ref = productRef(d)
	f.Owner, f.UserID = caller.Owner, user(d, caller.Subject)
	f.ID, f.TS = r.identify(d, now)
	return f, ref
}

func checkType(d *Draft, caller Caller) {
	switch {
	case !d.Has(FieldType):
		d.Refuse("/type", CodeRequired, "type is required.")
	case !validType(d.Type):
		d.Refuse("/type", CodeInvalidValue, "type must be 1 to 64 of the characters a-z, 0-9, _, ., : and -.")
	case caller.Customer && !slices.Contains(customerTypes, d.Type):
		d.Refuse("/type", CodeTypeForbidden, "Users send the types view, click and add_to_cart; other types need an API key.")
	}
}

// customerTypes are the types of events that a customer may send.
var customerTypes = []string{stats.TypeView, stats.TypeClick, stats.TypeAddToCart}

// productRef returns the product of an item, or the zero Ref when it does not name exactly one.
func productRef(d *FactDraft) Ref {
	switch byID, bySKU := d.Has(FieldProductID), d.Has(FieldSKU); {
	case d.sentBadly(FieldProductID | FieldSKU):
		return Ref{}
	case byID && bySKU:
		d.Refuse("/sku", CodeProductAmbiguous, "Name the product by product_id or by sku, not by both.")
		return Ref{}
	case !byID && !bySKU:
		d.Refuse("/product_id", CodeProductRequired, "Name the product by product_id or by sku.")
		return Ref{}
	case bySKU && !validSKU(d.Product.SKU):
		d.Refuse("/sku", CodeInvalidValue, "sku must be 1 to 64 letters, digits and . _ : / -, beginning with a letter or digit.")
		return Ref{}
	}
	return d.Product
}

// user returns the user of an item. A user's token can only record for that user.
func user(d *FactDraft, subject string) string {
	switch {
	case d.sentBadly(FieldUserID):
		return ""
	case !d.Has(FieldUserID):
		if subject == "" {
			d.Refuse("/user_id", CodeUserRequired, "user_id is required with an API key.")
		}
		return subject
	case unreachable(d.UserID):
		d.Refuse("/user_id", CodeInvalidValue, `user_id must not be "me", "." or "..", because no path can name such a user.`)
	case !validUserID(d.UserID):
		d.Refuse("/user_id", CodeInvalidValue, "user_id must be 1 to 128 printable ASCII characters without spaces at the ends.")
	case subject != "" && d.UserID != subject:
		d.Refuse("/user_id", CodeUserMismatch, "With a user's token user_id must be that user's id, or absent.")
	}
	return d.UserID
}

// The patterns of openapi.yaml, written by hand: a regular expression would cost more than decoding the event.

func validType(s string) bool {
	return len(s) >= 1 && len(s) <= maxTypeLength && every(s, func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == ':' || c == '-'
	})
}

// unreachable reports whether GET /analytics/users/{id}/summary cannot be asked for a user: "me" is the caller, and clients
// remove dot segments from paths (RFC 3986, section 5.2.4), escaped or not.
func unreachable(userID string) bool { return userID == "me" || userID == "." || userID == ".." }

func validUserID(s string) bool {
	return len(s) >= 1 && len(s) <= maxUserIDLength && strings.TrimSpace(s) == s &&
		every(s, func(c byte) bool { return c >= ' ' && c <= '~' })
}

func validSKU(s string) bool {
	return len(s) >= 1 && len(s) <= maxSKULength && alphanumeric(s[0]) &&
		every(s, func(c byte) bool { return alphanumeric(c) || strings.IndexByte("._:/-", c) >= 0 })
}

func validCurrency(s string) bool {
	return len(s) == 3 && every(s, func(c byte) bool { return c >= 'A' && c <= 'Z' })
}

func alphanumeric(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

func every(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}
