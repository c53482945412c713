package segment

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
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

// Translate translates a request; currency is that of orders that name none. An error refuses the whole request. A message that cannot
// be read is an event that is refused.
func (r *Request) Translate(currency string) (Batch, error) {
	var b Batch
	for i := range r.messages {
		b.add(&r.messages[i], currency)
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
var counted = map[scalar]string{
	"Product Viewed": "view", "Viewed Product": "view", "Product Clicked": "click", "Clicked Product": "click",
	"Product Added": "add_to_cart", "Added Product": "add_to_cart",
}

func (m *message) event() (d event.Draft) {
	if m.unreadable != nil {
		d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+jsonerr.Explain(m.unreadable).Error()+".")
		return d
	}
	m.fact(&d.FactDraft, m.id())
	raw := m.Properties
	switch m.Type {
	case "track":
		d.Type = string(m.Event)
		if name, ok := counted[m.Event]; ok {
			d.Type = name
			m.product(&d.FactDraft)
		}
	case "identify", "group":
		d.Type, raw = string(m.Type), m.Traits
	case "alias": // a visitor turns out to be a user
		d.Type, d.AnonymousID = "identify", string(m.PreviousID)
		set(&d.FactDraft, event.FieldAnonymousID, d.AnonymousID != "")
	case "page", "screen":
		d.Type = string(m.Type)
	default:
		d.RefuseWhole(event.CodeInvalidValue, "type must be track, identify, page, screen, group or alias.")
		return d
	}
	set(&d.FactDraft, event.FieldType, d.Type != "")
	m.properties(&d.FactDraft, raw, &d.Properties, &d.Replaced)
	return d
}

// set notes that a field was sent.
func set(d *event.FactDraft, field event.Fields, sent bool) {
	if sent {
		d.Sent, d.Good = d.Sent|field, d.Good|field
	}
}

// id returns the id of a message. One without an id is identified by its bytes if they have the time, because a library sends the same
// bytes again. Without a time it may as well be another event.
func (m *message) id() scalar {
	if m.MessageID != "" || m.Timestamp == "" && m.OriginalTimestamp == "" {
		return m.MessageID
	}
	return scalar("sha256:" + hex.EncodeToString(m.digest[:]))
}

// fact fills in the common part. The time is that which the library gave the message when it was made, so a retry has the same: the
// clock's error is measured by sentAt and stored beside it.
func (m *message) fact(d *event.FactDraft, id scalar) {
	if parsed, err := uuid.Parse(string(id)); err == nil && len(id) == 36 {
		d.ID = parsed
	} else {
		d.IDText = string(id)
	}
	set(d, event.FieldID, id != "")
	d.UserID, d.AnonymousID = string(m.UserID), string(m.AnonymousID)
	set(d, event.FieldUserID, d.UserID != "")
	set(d, event.FieldAnonymousID, d.AnonymousID != "")
	at := m.Timestamp
	if at == "" {
		at = m.OriginalTimestamp
	}
	m.time(d, event.FieldTS, "timestamp", at, &d.TS)
	m.time(d, event.FieldSentAt, "sentAt", m.SentAt, &d.SentAt)
}

func (m *message) time(d *event.FactDraft, field event.Fields, name string, text scalar, to *time.Time) {
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

// product names the product of an event by its SKU, or by the shop's id if it has no SKU.
func (m *message) product(d *event.FactDraft) {
	var p productFields
	if len(m.Properties) > 0 && json.Unmarshal(m.Properties, &p) == nil {
		d.SKU = p.sku()
		set(d, event.FieldSKU, d.SKU != "")
	}
}

// properties keeps the properties or traits, and adds what the context says under the agreed names, where the message itself does
// not use them.
func (m *message) properties(d *event.FactDraft, raw json.RawMessage, to *[]byte, replaced *bool) {
	if added := m.added(); len(added) > 0 {
		raw = merged(raw, added)
	}
	if len(raw) == 0 {
		return
	}
	if err := decode.Properties(raw, d, to, replaced); err != nil {
		d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+err.Error()+".")
	}
}

// added are the properties that come from elsewhere in the message.
func (m *message) added() map[string]scalar {
	added := map[string]scalar{}
	put := func(name string, value scalar) {
		if value != "" {
			added[name] = value
		}
	}
	put("url", m.Context.Page.URL)
	put("referrer", m.Context.Page.Referrer)
	for _, part := range []string{"source", "medium", "term", "content"} {
		put("utm_"+part, m.Context.Campaign[part])
	}
	put("utm_campaign", m.Context.Campaign["name"])
	switch m.Type {
	case "page", "screen":
		put("name", m.Name)
		put("category", m.Category)
	case "group":
		put("group_id", m.GroupID)
	}
	return added
}

// merged returns an object with some members added. It returns what is no object as it is, to be refused.
func merged(raw json.RawMessage, added map[string]scalar) json.RawMessage {
	members := map[string]json.RawMessage{}
	if len(raw) > 0 && json.Unmarshal(raw, &members) != nil {
		return raw
	}
	if members == nil { // null
		members = map[string]json.RawMessage{}
	}
	for name, value := range added {
		if _, used := members[name]; used {
			continue
		}
		if text, err := json.Marshal(string(value)); err == nil {
			members[name] = text
		}
	}
	object, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return object
}
