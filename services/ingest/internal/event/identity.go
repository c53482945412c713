package event

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// maxAhead is how far a client's clock may be ahead of ours.
const maxAhead = time.Hour

// identify returns the identity of an item. It depends only on what the client sent, so that a retry has the same identity;
// only fields that the client left out are filled in.
func (r Rules) identify(d *FactDraft, now time.Time) (uuid.UUID, time.Time) {
	if d.sentBadly(FieldID | FieldTS) {
		return uuid.Nil, time.Time{}
	}
	id, ts := d.ID, d.TS.UTC().Truncate(time.Microsecond)
	if !d.Has(FieldID) {
		id = NewID()
	}
	if !d.Has(FieldTS) {
		derived, ok := timeOf(id)
		if !ok {
			d.Refuse("/id", CodeIDWithoutTime, "Without ts, id must be a UUIDv7, whose time becomes ts.")
			return uuid.Nil, time.Time{}
		}
		ts = derived
	}
	if d.Has(FieldID | FieldTS) {
		r.checkTime(d, ts, now)
	}
	return id, ts
}

func (r Rules) checkTime(d *FactDraft, ts, now time.Time) {
	switch {
	case ts.After(now.Add(maxAhead)):
		pointer, what := d.sourceOfTime()
		d.Refuse(pointer, CodeInFuture, what+" is more than an hour ahead.")
	case ts.Before(now.Add(-r.Retention)):
		d.refuseTooOld("is older than " + r.retentionText() + ", which is how long events are kept")
	}
}

// refuseTooOld refuses an item because of its time; why completes the sentence that begins with it.
func (d *FactDraft) refuseTooOld(why string) {
	pointer, what := d.sourceOfTime()
	d.Refuse(pointer, CodeTooOld, what+" "+why+".")
}

// sourceOfTime returns which field the time of an item comes from.
func (d *FactDraft) sourceOfTime() (pointer, name string) {
	if !d.Has(FieldTS) {
		return "/id", "The time in id"
	}
	return "/ts", "ts"
}

// NewID returns a UUIDv7. Its ids ascend, so index pages fill from the right.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) } // fails only without a source of randomness

// timeOf returns the time inside a UUIDv7 (RFC 9562, section 5.7: milliseconds in the first 48 bits).
func timeOf(id uuid.UUID) (time.Time, bool) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC(), true
}
