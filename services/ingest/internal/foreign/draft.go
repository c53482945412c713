// Package foreign holds what the adapters for formats of other systems share: texts and objects as libraries send them, and the parts of
// a draft. An adapter reads its messages and says what each field means. The rules of package event then check its drafts as those of
// all other requests.
package foreign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Set notes that a field was sent with a value that can be read, if it was.
func Set(d *event.FactDraft, field event.Fields, sent bool) {
	if sent {
		d.Sent, d.Good = d.Sent|field, d.Good|field
	}
}

// ID sets the id that the sender gave the message when it was made, so that a retry has the same. Without one the event gets a new id on
// arrival.
func ID(d *event.FactDraft, id string) {
	if parsed, err := uuid.Parse(id); err == nil && len(id) == 36 { // not the other forms that Parse takes
		d.ID = parsed
	} else {
		d.IDText = id
	}
	Set(d, event.FieldID, id != "")
}

// Digest is the hash of a message as it was sent.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a message.
func DigestOf(raw []byte) Digest { return sha256.Sum256(raw) }

// ID returns the id of a message without one. It is stable if a library sends the same bytes again, and tells messages apart only if they
// hold the time: without a time, the same bytes may as well be another event.
func (d *Digest) ID() string { return "sha256:" + hex.EncodeToString(d[:]) }

// Users sets the user and the visitor of a message. Either may be empty.
func Users(d *event.FactDraft, user, anonymous Text) {
	d.UserID, d.AnonymousID = string(user), string(anonymous)
	Set(d, event.FieldUserID, user != "")
	Set(d, event.FieldAnonymousID, anonymous != "")
}

// Clock is a time that a message may have. Field is event.FieldTS or event.FieldSentAt, and Name is its name in the message.
type Clock struct {
	Field event.Fields
	Name  string
}

// Read sets the time of a draft, in RFC 3339 as ISO 8601 has it. A text that is no time refuses the message; an empty one is none.
func (c Clock) Read(d *event.FactDraft, text Text) {
	if text == "" {
		return
	}
	parsed, err := time.Parse(time.RFC3339, strings.ToUpper(string(text)))
	if err != nil {
		d.Sent |= c.Field
		d.Refuse("/"+c.Name, event.CodeInvalidValue, c.Name+" must be a time of ISO 8601 such as 2026-03-14T09:26:53.123Z.")
		return
	}
	c.Set(d, parsed)
}

// Set sets the time of a draft.
func (c Clock) Set(d *event.FactDraft, at time.Time) {
	if c.Field == event.FieldSentAt {
		d.SentAt = at
	} else {
		d.TS = at
	}
	Set(d, c.Field, true)
}

// Type sets the type of an event.
func Type(d *event.Draft, name string) {
	d.Type = name
	Set(&d.FactDraft, event.FieldType, name != "")
}

// SKU sets the product of an event.
func SKU(d *event.FactDraft, sku string) {
	d.SKU = sku
	Set(d, event.FieldSKU, sku != "")
}

// counted are the types of events that have a counter by product.
var counted = map[string]bool{"view": true, "click": true, "add_to_cart": true}

// Counted reports whether events of a type have a counter by product.
func Counted(name string) bool { return counted[name] }

// Raw sets the properties of an event from a JSON value, which must be an object within the limits of properties. Others refuse the
// message; an empty one is none. They are checked and made storable; to is where the draft keeps them.
func Raw(d *event.FactDraft, raw json.RawMessage, to *[]byte, replaced *bool) {
	if len(raw) == 0 {
		return
	}
	if err := decode.Properties(raw, d, to, replaced); err != nil {
		unreadable(d, err)
	}
}

// Properties sets the properties of an event.
func Properties(d *event.Draft, stored Members) {
	if len(stored) == 0 {
		return
	}
	Raw(&d.FactDraft, stored.JSON(), &d.Properties, &d.Replaced)
}

// Unreadable returns the draft of a message that cannot be read. It is refused, and does not affect the others of its request.
func Unreadable(cause error) (d event.Draft) {
	unreadable(&d.FactDraft, jsonerr.Explain(cause))
	return d
}

func unreadable(d *event.FactDraft, cause error) {
	d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+cause.Error()+".")
}
