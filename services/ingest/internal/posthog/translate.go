package posthog

import (
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// Events returns the events of a request. Their rules are those of other requests. A message that cannot be read is an event that is
// refused.
func (r *Request) Events() []event.Draft {
	drafts := make([]event.Draft, len(r.list))
	for i, raw := range r.list {
		m := one(raw)
		if m.SentAt == "" {
			m.SentAt = r.sentAt
		}
		drafts[i] = m.event()
	}
	return drafts
}

func (m *message) event() (d event.Draft) {
	if m.unreadable != nil {
		return foreign.Unreadable(m.unreadable)
	}
	m.identify(&d.FactDraft)
	m.users(&d.FactDraft)
	kind := string(m.Event)
	var stored foreign.Members
	switch m.Event {
	case "$identify", "$set":
		kind, stored = "identify", m.traits()
	case "$create_alias":
		kind = "identify"
	case "$groupidentify":
		kind, stored = "group", m.group()
	case "$pageview":
		kind, stored = "page", kept(m.Properties)
	case "$screen":
		kind, stored = "screen", kept(m.Properties)
	default:
		stored = kept(m.Properties)
		if foreign.Counted(kind) { // a library names the product in the property sku
			foreign.SKU(&d.FactDraft, string(m.Properties.Text("sku")))
		}
	}
	foreign.Type(&d, kind)
	foreign.Properties(&d, stored)
	return d
}

// identify sets the id and the time, which a library gives the message when it is made, so that a retry has the same. Old libraries for
// browsers send how long ago that was in place of a time, which differs from retry to retry: then the time is that inside the id, or
// else of the first receipt. One without an id is identified by its bytes if they have the time.
func (m *message) identify(d *event.FactDraft) {
	id := string(m.UUID)
	if id == "" && m.Timestamp != "" {
		id = m.digest.ID()
	}
	foreign.ID(d, id)
	timestamp.Read(d, m.Timestamp)
	sentAt.Read(d, m.SentAt)
}

var timestamp, sentAt = foreign.Clock{Field: event.FieldTS, Name: "timestamp"}, foreign.Clock{Field: event.FieldSentAt, Name: "sent_at"}

// users sets whose event it is. PostHog has one id for visitors and users, and says in other properties which of them it is.
func (m *message) users(d *event.FactDraft) {
	id := m.DistinctID
	if id == "" {
		id = m.Properties.Text("distinct_id")
	}
	anonymous := m.anonymous(id)
	switch {
	case m.Event == "$identify":
		anonymous = m.Properties.Text("$anon_distinct_id")
	case m.Event == "$create_alias":
		other := m.Properties.Text("alias")
		if named := m.Properties.Text("distinct_id"); named != "" {
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
	foreign.Users(d, id, anonymous)
}

// anonymous returns the id of a message if it is that of a visitor, and else nothing.
func (m *message) anonymous(id foreign.Text) foreign.Text {
	p := m.Properties
	switch {
	case p.Is("$is_identified", true):
	case p.Is("$is_identified", false), p.Is("$process_person_profile", false), p.Text("$device_id") == id:
		return id
	case m.Event == "$groupidentify" && id == "$"+p.Text("$group_type")+"_"+p.Text("$group_key"): // what libraries send when nobody did it
		return id
	}
	return ""
}
