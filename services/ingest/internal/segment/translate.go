package segment

import (
	"encoding/json"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// Batch is what a request holds. Its drafts are checked by the recorders, as those of other requests are.
type Batch struct {
	Events  []event.Draft
	Orders  []order.Draft
	Refunds []Refund

	lines int // of the orders and refunds
}

// Refund is a refund of an order.
type Refund struct {
	Order    string // its id, as the shop knows it
	Currency string // that the order must have; empty for any
	Draft    order.RefundDraft
}

func translate(messages []message, currency string) (Batch, error) {
	var b Batch
	for i := range messages {
		b.add(&messages[i], currency)
		if b.lines > order.MaxBatchLines {
			return Batch{}, errTooMany
		}
	}
	return b, nil
}

// Len returns how many events there are, counting each line of an order and of a refund as one.
func (b *Batch) Len() int { return len(b.Events) + max(b.lines, len(b.Orders)+len(b.Refunds)) }

// add translates a message. The event of an order that names its id is stored as an order, or refused: as an event it would be counted
// and its money would not.
func (b *Batch) add(m *message, currency string) {
	if m.unreadable == nil && m.Type == "track" {
		fields, named := m.orderFields()
		switch {
		case !named:
		case m.Event == "Order Completed" || m.Event == "Completed Order":
			b.Orders, b.lines = append(b.Orders, m.order(&fields, currency)), b.lines+len(fields.Products)
			return
		case m.Event == "Order Refunded" || m.Event == "Refunded Order":
			b.Refunds, b.lines = append(b.Refunds, m.refund(&fields)), b.lines+len(fields.Products)
			return
		}
	}
	b.Events = append(b.Events, m.event())
}

// counted are the events of a shop that have a counter of their own. The second name of each is that of the first version of the
// specification, which old libraries send.
var counted = map[foreign.Text]string{
	"Product Viewed": "view", "Viewed Product": "view", "Product Clicked": "click", "Clicked Product": "click",
	"Product Added": "add_to_cart", "Added Product": "add_to_cart",
}

func (m *message) event() (d event.Draft) {
	if m.unreadable != nil {
		return foreign.Unreadable(m.unreadable)
	}
	m.fact(&d.FactDraft, m.id())
	kind, raw := string(m.Type), m.Properties
	switch m.Type {
	case "track":
		kind = string(m.Event)
		if name, ok := counted[m.Event]; ok {
			kind = name
			m.product(&d.FactDraft)
		}
	case "identify", "group":
		raw = m.Traits
	case "alias": // a visitor turns out to be a user
		kind, d.AnonymousID = "identify", string(m.PreviousID)
		foreign.Set(&d.FactDraft, event.FieldAnonymousID, d.AnonymousID != "")
	case "page", "screen":
	default:
		d.RefuseWhole(event.CodeInvalidValue, "type must be track, identify, page, screen, group or alias.")
		return d
	}
	foreign.Type(&d, kind)
	m.properties(&d.FactDraft, raw, &d.Properties, &d.Replaced)
	return d
}

// id returns the id of a message. One without an id is identified by its bytes if they have the time, because a library sends the same
// bytes again. Without a time it may as well be another event.
func (m *message) id() foreign.Text {
	if m.MessageID != "" || m.Timestamp == "" && m.OriginalTimestamp == "" {
		return m.MessageID
	}
	return foreign.Text(m.digest.ID())
}

var timestamp, sentAt = foreign.Clock{Field: event.FieldTS, Name: "timestamp"}, foreign.Clock{Field: event.FieldSentAt, Name: "sentAt"}

// fact fills in the common part. The time is that which the library gave the message when it was made, so a retry has the same: the
// clock's error is measured by sentAt and stored beside it.
func (m *message) fact(d *event.FactDraft, id foreign.Text) {
	foreign.ID(d, string(id))
	foreign.Users(d, m.UserID, m.AnonymousID)
	at := m.Timestamp
	if at == "" {
		at = m.OriginalTimestamp
	}
	timestamp.Read(d, at)
	sentAt.Read(d, m.SentAt)
}

// product names the product of an event by its SKU, or by the shop's id if it has no SKU.
func (m *message) product(d *event.FactDraft) {
	var p productFields
	if len(m.Properties) > 0 && json.Unmarshal(m.Properties, &p) == nil {
		foreign.SKU(d, p.sku())
	}
}

// properties keeps the properties or traits, and adds what the context says under the agreed names, where the message itself does
// not use them.
func (m *message) properties(d *event.FactDraft, raw json.RawMessage, to *[]byte, replaced *bool) {
	if added := m.added(); len(added) > 0 {
		raw = merged(raw, added)
	}
	foreign.Raw(d, raw, to, replaced)
}

// added are the properties that come from elsewhere in the message.
func (m *message) added() foreign.Members {
	added := foreign.Members{}
	added.Put("url", m.Context.Page.URL)
	added.Put("referrer", m.Context.Page.Referrer)
	campaign := &m.Context.Campaign
	added.Put("utm_source", campaign.Source)
	added.Put("utm_medium", campaign.Medium)
	added.Put("utm_campaign", campaign.Name)
	added.Put("utm_term", campaign.Term)
	added.Put("utm_content", campaign.Content)
	switch m.Type {
	case "page", "screen":
		added.Put("name", m.Name)
		added.Put("category", m.Category)
	case "group":
		added.Put("group_id", m.GroupID)
	}
	return added
}

// merged returns an object with some members added. It returns what is no object as it is, to be refused.
func merged(raw json.RawMessage, added foreign.Members) json.RawMessage {
	members := foreign.Members{}
	if len(raw) > 0 && json.Unmarshal(raw, &members) != nil {
		return raw
	}
	if members == nil { // null
		return added.JSON()
	}
	for name, value := range added {
		if _, used := members[name]; !used {
			members[name] = value
		}
	}
	return members.JSON()
}
