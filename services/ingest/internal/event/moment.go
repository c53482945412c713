package event

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Moment is the id of an order or a refund, and when it happened. Unlike an event it is known by its id alone, so its time need
// not be the same in a retry.
type Moment struct {
	ID uuid.UUID
	TS time.Time // UTC, in microseconds
	// Clamped says that the client's time is too far ahead, and TS is the time of receipt.
	Clamped bool

	sent time.Time     // TS as the client sent it
	skew time.Duration // of the client's clock, if it sent its time
}

// Earliest is when an event of an import, an order or a refund can have happened at the earliest: the first day that reports show, in every zone. A client
// that sends less has no time (the zero time of Go, a Unix time of 0).
var Earliest = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

// Moment checks the id and the time of an order or a refund. Without ts, its time is that in a UUIDv7 or a ULID, or else the time of receipt. It
// may be of any age: orders and refunds are kept for ever, so a retry is recognized.
func (r Rules) Moment(d *FactDraft, caller Caller, now time.Time) (m Moment) {
	if d.sentBadly(FieldID | FieldTS) {
		return m
	}
	var ok bool
	if m.ID, ok = eventID(d, caller); !ok {
		return m
	}
	received := now.UTC().Truncate(time.Microsecond)
	m.TS = received
	if d.Has(FieldTS) {
		m.TS = d.TS.UTC().Truncate(time.Microsecond)
	} else if inside, ok := d.timeInID(); ok {
		m.TS = inside
	}
	if m.TS.Before(Earliest) {
		d.refuseTooOld("is before 1970-01-02, the first day that every report shows")
	}
	if d.Has(FieldSentAt) {
		m.skew = now.Sub(d.SentAt)
	}
	if m.sent = m.TS; d.ahead(m.TS, now) {
		m.TS, m.Clamped = received, true
	}
	return m
}

// Note returns the properties of an order with what is ours: the skew of the client's clock and, if the time was clamped, the
// one that was sent.
func (m Moment) Note(properties []byte) []byte {
	if m.Clamped {
		properties = withMember(properties, PropertySent, strconv.Quote(m.sent.Format(time.RFC3339Nano)))
	}
	if m.skew.Abs() > minSkew {
		properties = withMember(properties, PropertySkew, strconv.FormatInt(m.skew.Milliseconds(), 10))
	}
	return properties
}

// Buyer checks who an order is of.
func Buyer(d *FactDraft, caller Caller) UserRef {
	ref := UserRef{UserID: user(d, caller), AnonymousID: anonymous(d, caller)}
	if d.Sent&(FieldUserID|FieldAnonymousID) == 0 && caller.Subject == "" {
		d.Refuse("/user_id", CodeUserRequired, "With an API key, name the user by user_id, by anonymous_id or by both.")
	}
	return ref
}

// ProductOf returns the product that an item names, or the zero Ref if it does not name exactly one.
func ProductOf(d *FactDraft, caller Caller) Ref {
	if d.Sent&(FieldProductID|FieldSKU) == 0 {
		d.Refuse("/product_id", CodeProductRequired, "Name the product by product_id or by sku.")
	}
	return productRef(d, caller.Project.ID)
}

// SentBadly reports whether one of fields was sent with a value that could not be read.
func (d *FactDraft) SentBadly(fields Fields) bool { return d.sentBadly(fields) }
