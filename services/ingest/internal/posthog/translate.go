package posthog

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Events returns the events of a request. Their rules are those of other requests. A message that cannot be read is an event that is
// refused.
func (r *Request) Events() []event.Draft {
	drafts := make([]event.Draft, len(r.messages))
	for i := range r.messages {
		drafts[i] = r.messages[i].event()
	}
	return drafts
}

// counted are the events that have a counter by product. A library names the product in the property sku.
var counted = map[scalar]bool{"view": true, "click": true, "add_to_cart": true}

func (m *message) event() (d event.Draft) {
	if m.unreadable != nil {
		d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+m.unreadable.Error()+".")
		return d
	}
	m.identify(&d.FactDraft)
	m.users(&d.FactDraft)
	var stored members
	switch m.Event {
	case "$identify", "$set":
		d.Type, stored = "identify", m.traits()
	case "$create_alias":
		d.Type = "identify"
	case "$groupidentify":
		d.Type, stored = "group", m.group()
	case "$pageview":
		d.Type, stored = "page", kept(m.Properties)
	case "$screen":
		d.Type, stored = "screen", kept(m.Properties)
	default:
		d.Type, stored = string(m.Event), kept(m.Properties)
		if counted[m.Event] {
			d.SKU = string(m.Properties.text("sku"))
			set(&d.FactDraft, event.FieldSKU, d.SKU != "")
		}
	}
	set(&d.FactDraft, event.FieldType, d.Type != "")
	properties(&d, stored)
	return d
}

// set notes that a field was sent.
func set(d *event.FactDraft, field event.Fields, sent bool) {
	if sent {
		d.Sent, d.Good = d.Sent|field, d.Good|field
	}
}

// identify sets the id and the time, which a library gives the message when it is made, so that a retry has the same. Old libraries for
// browsers send how long ago that was in place of a time, which differs from retry to retry: then the time is that inside the id, or
// else of the first receipt. One without an id is identified by its bytes if they have the time.
func (m *message) identify(d *event.FactDraft) {
	id := string(m.UUID)
	if id == "" && m.Timestamp != "" {
		id = "sha256:" + hex.EncodeToString(m.digest[:])
	}
	if parsed, err := uuid.Parse(id); err == nil && len(id) == 36 {
		d.ID = parsed
	} else {
		d.IDText = id
	}
	set(d, event.FieldID, id != "")
	clock(d, event.FieldTS, "timestamp", m.Timestamp, &d.TS)
	clock(d, event.FieldSentAt, "sent_at", m.SentAt, &d.SentAt)
}

func clock(d *event.FactDraft, field event.Fields, name string, text scalar, to *time.Time) {
	if text == "" {
		return
	}
	parsed, err := time.Parse(time.RFC3339, strings.ToUpper(string(text)))
	if err != nil {
		d.Sent |= field
		d.Refuse("/"+name, event.CodeInvalidValue, name+" must be a time of ISO 8601 such as 2026-03-14T09:26:53.123Z.")
		return
	}
	*to = parsed
	set(d, field, true)
}

// users sets whose event it is. PostHog has one id for visitors and users, and says in other properties which of them it is.
func (m *message) users(d *event.FactDraft) {
	id := m.DistinctID
	if id == "" {
		id = m.Properties.text("distinct_id")
	}
	anonymous := m.anonymous(id)
	switch {
	case m.Event == "$identify":
		anonymous = m.Properties.text("$anon_distinct_id")
	case m.Event == "$create_alias":
		other := m.Properties.text("alias")
		if named := m.Properties.text("distinct_id"); named != "" {
			id = named
		}
		if anonymous != "" { // a visitor turns out to be a user, whose id is the alias
			id, other = other, id
		}
		anonymous = other
	case anonymous != "":
		id = ""
	}
	if anonymous == id {
		anonymous = ""
	}
	d.UserID, d.AnonymousID = string(id), string(anonymous)
	set(d, event.FieldUserID, d.UserID != "")
	set(d, event.FieldAnonymousID, d.AnonymousID != "")
}

// anonymous returns the id of a message if it is that of a visitor, and else nothing.
func (m *message) anonymous(id scalar) scalar {
	p := m.Properties
	switch {
	case p.is("$is_identified", true):
	case p.is("$is_identified", false), p.is("$process_person_profile", false), p.text("$device_id") == id:
		return id
	case m.Event == "$groupidentify" && id == "$"+p.text("$group_type")+"_"+p.text("$group_key"): // what libraries send when nobody did it
		return id
	}
	return ""
}
