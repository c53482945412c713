package order

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// content hashes what a client sent, field by field, each with its length or presence. Times are not part of it: a client that
// stamps a retry anew means the same order.
type content struct{ hash hash.Hash }

func newContent() content { return content{sha256.New()} }

func (c content) sum() (sum Hash) {
	c.hash.Sum(sum[:0])
	return sum
}

func (c content) int(n int64) { c.hash.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }

func (c content) text(s string) {
	c.int(int64(len(s)))
	c.hash.Write([]byte(s))
}

// optional adds a number that may be absent.
func (c content) optional(sent bool, n int64) {
	if !sent {
		c.hash.Write([]byte{0})
		return
	}
	c.hash.Write([]byte{1})
	c.int(n)
}

func (c content) ref(ref event.Ref) {
	c.text(ref.SKU)
	if ref.SKU == "" {
		c.hash.Write(ref.ID[:])
	}
}

func (c content) line(l *LineDraft, ref event.Ref) {
	c.ref(ref)
	c.optional(l.Has(event.FieldLine), l.Line)
	c.optional(l.Has(event.FieldQuantity), l.Quantity)
	c.optional(l.Has(event.FieldAmount), l.AmountMinor)
}

// ofOrder returns the hash of an order.
func ofOrder(d *Draft, buyer event.UserRef, refs []event.Ref) Hash {
	c := newContent()
	c.text(buyer.UserID)
	c.text(buyer.AnonymousID)
	c.text(d.Currency)
	c.text(string(canonical(d.Properties)))
	for i := range d.Lines {
		c.line(&d.Lines[i], refs[i])
	}
	return c.sum()
}

// ofStandalone returns the hash of a refund without an order.
func ofStandalone(d *Draft, buyer event.UserRef, refs []event.Ref) Hash {
	c := newContent()
	c.text(d.Reason)
	order := ofOrder(d, buyer, refs)
	c.hash.Write(order[:])
	return c.sum()
}

// ofRefund returns the hash of a refund.
func ofRefund(d *RefundDraft, order uuid.UUID, refs []event.Ref) Hash {
	c := newContent()
	c.hash.Write(order[:])
	c.text(d.Reason)
	c.optional(d.Has(event.FieldAmount), d.AmountMinor)
	for i := range d.Lines {
		c.line(&d.Lines[i], refs[i])
	}
	return c.sum()
}

// ofRequest returns the hash of a request with an Idempotency-Key: its order, and the id that it names.
func ofRequest(d *Draft, order Hash) Hash {
	c := newContent()
	c.text(d.IDText)
	c.hash.Write(d.ID[:])
	c.hash.Write(order[:])
	return c.sum()
}

// canonical returns JSON without differences that mean nothing: white space and the order of members.
func canonical(properties []byte) []byte {
	if properties == nil {
		return nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(properties))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return properties
	}
	same, err := json.Marshal(value)
	if err != nil {
		return properties
	}
	return same
}
