package event

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Rights are what a caller may send.
type Rights uint8

// The rights, each less than the one before.
const (
	// Trusted callers are owners and API keys. They name amounts.
	Trusted Rights = iota
	// Member is a user with another role, who buys at the price of the catalog.
	Member
	// Guest is a user that anybody may be where registration is open. It sends what a visitor of a shop does: events of the
	// usual names, and purchases at the price of the catalog. Its ids are apart from those of all others.
	Guest
)

// Caller is who sends items.
type Caller struct {
	Project authn.Project
	Subject string // the calling user; empty for an API key
	Sender  string // authn.Principal.ID
	Key     string // the id of the API key; empty for a user
	Rights  Rights
	// Import is the import of history that the events belong to; nil for none.
	Import *Import
	// CreateProducts says that an unknown SKU creates a placeholder product.
	CreateProducts bool
	// PublicKey is the id of the public key that a visitor of a page sends with; empty for everybody else.
	PublicKey string
	// DefaultSKU is the product of events that name none; empty for none.
	DefaultSKU string
}

// own is the argument of identifier.ID: whose ids these are, of callers who can be anybody. So no visitor can take an id of the project.
func (c Caller) own() string {
	if c.Rights == Guest {
		return c.Subject
	}
	return c.PublicKey
}

// Rules decide what is accepted.
type Rules struct {
	// MaxEventAge is how old ts may be where the project says nothing; no project can allow more. It is not longer than raw rows
	// are kept: without its raw row a retry is not recognized.
	MaxEventAge time.Duration
}

// event checks a draft against the rules, except those about its product. ref names the product if the draft names one. The
// event is valid if the draft is not refused.
func (r Rules) event(d *Draft, caller Caller, now time.Time) (e Event, ref Ref) {
	e.Type, e.Properties = eventName(d, caller), d.Properties
	if caller.DefaultSKU != "" && d.Sent&(FieldProductID|FieldSKU) == 0 {
		d.SKU, d.Sent, d.Good = caller.DefaultSKU, d.Sent|FieldSKU, d.Good|FieldSKU
	}
	e.Fact, ref = r.fact(&d.FactDraft, caller, now)
	if d.Has(FieldSentAt) {
		e.setSkew(now.Sub(d.SentAt))
	}
	return e, ref
}

// fact checks the common part.
func (r Rules) fact(d *FactDraft, caller Caller, now time.Time) (f Fact, ref Ref) {
	f.Project = caller.Project.ID
	ref = productRef(d, f.Project)
	f.ProductID, f.SKU = ref.ID, ref.SKU
	f.UserID, f.AnonymousID = user(d, caller), anonymous(d, caller)
	if d.Sent&(FieldUserID|FieldAnonymousID) == 0 && caller.Subject == "" {
		d.Refuse("/user_id", CodeUserRequired, "With an API key, name the user by user_id, by anonymous_id or by both.")
	}
	f.ID, f.TS = r.identify(d, caller, now)
	return f, ref
}

// eventName returns the normal form of the name of an event.
func eventName(d *Draft, caller Caller) string {
	if d.sentBadly(FieldType) {
		return ""
	}
	if !d.Has(FieldType) {
		d.Refuse("/type", CodeRequired, "type is required.")
		return ""
	}
	name, err := identifier.Name(d.Type)
	switch {
	case err != nil:
		d.Refuse("/type", CodeInvalidValue, "type "+err.Error()+".")
	case caller.Rights == Guest && !slices.Contains(guestNames, name):
		d.Refuse("/type", CodeTypeForbidden, "Users who are no members send the types view, click and add_to_cart; other types need an API key or a membership.")
	}
	return name
}

// guestNames are the names of events that a guest may send: those with a counter of their own.
var guestNames = []string{"view", "click", "add_to_cart"}

// productRef returns the product of an item, or the zero Ref when it does not name exactly one.
func productRef(d *FactDraft, project int16) Ref {
	switch byID, bySKU := d.Has(FieldProductID), d.Has(FieldSKU); {
	case d.sentBadly(FieldProductID | FieldSKU):
		return Ref{}
	case byID && bySKU:
		d.Refuse("/sku", CodeProductAmbiguous, "Name the product by product_id or by sku, not by both.")
		return Ref{}
	case byID:
		return Ref{Project: project, ID: d.ProductID}
	case bySKU:
		sku, err := identifier.Text(d.SKU)
		if err != nil {
			d.Refuse("/sku", CodeInvalidValue, "sku "+err.Error()+".")
			return Ref{}
		}
		return Ref{Project: project, SKU: sku}
	default:
		return Ref{}
	}
}

// user returns the user id of an item. A user's token can only record for that user.
func user(d *FactDraft, caller Caller) string {
	if !d.Has(FieldUserID) {
		return caller.Subject
	}
	id, err := identifier.Text(d.UserID)
	switch {
	case err != nil:
		d.Refuse("/user_id", CodeInvalidValue, "user_id "+err.Error()+".")
	case id == "me":
		d.Refuse("/user_id", CodeInvalidValue, `user_id must not be "me", because paths call the caller so.`)
	case caller.Subject != "" && id != caller.Subject:
		d.Refuse("/user_id", CodeUserMismatch, "With a user's token user_id must be that user's id, or absent.")
	}
	return id
}

// anonymous returns the anonymous id of an item. A guest has none: it could take the visits of others for its own.
func anonymous(d *FactDraft, caller Caller) string {
	if !d.Has(FieldAnonymousID) {
		return ""
	}
	id, err := identifier.Text(d.AnonymousID)
	switch {
	case err != nil:
		d.Refuse("/anonymous_id", CodeInvalidValue, "anonymous_id "+err.Error()+".")
	case caller.Rights == Guest:
		d.Refuse("/anonymous_id", CodeAnonymousUser, "Users who are no members send no anonymous_id.")
	}
	return id
}

// eventID returns the id of an item: what the client sent, or else a new one.
func eventID(d *FactDraft, caller Caller) (uuid.UUID, bool) {
	if !d.Has(FieldID) {
		return NewID(), true
	}
	id, text := d.ID, d.IDText
	if id != uuid.Nil {
		if caller.own() == "" {
			return id, true
		}
		text = id.String()
	}
	id, err := identifier.ID(caller.Project.ID, caller.own(), text)
	switch {
	case err != nil:
		d.Refuse("/id", CodeInvalidValue, "id "+err.Error()+".")
		return uuid.Nil, false
	case id == uuid.Nil:
		d.Refuse("/id", CodeInvalidValue, "id must not be the nil UUID.")
		return uuid.Nil, false
	}
	return id, true
}
