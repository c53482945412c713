package event

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

const (
	// maxAhead is how far ts may be ahead of our clock, after it was corrected by the skew of the client's clock.
	maxAhead = time.Hour
	// maxSkew is how far a client's clock may be ahead for its ts to be kept as they are. Each day that has rows is a partition,
	// so a client must not choose days freely.
	maxSkew = 24 * time.Hour
)

// identify returns the identity of an item. It depends only on what the client sent, so that a retry has the same identity;
// only fields that the client left out are filled in. The time of a timeless item is still to be settled.
func (r Rules) identify(d *FactDraft, caller Caller, now time.Time) (uuid.UUID, time.Time) {
	if d.sentBadly(FieldID | FieldTS) {
		return uuid.Nil, time.Time{}
	}
	id, ok := eventID(d, caller)
	if !ok {
		return uuid.Nil, time.Time{}
	}
	ts := d.TS.UTC().Truncate(time.Microsecond)
	switch {
	case d.Has(FieldTS):
	case !d.Has(FieldID):
		ts = now.UTC().Truncate(time.Millisecond)
	default:
		if ts, ok = d.timeInID(); !ok {
			ts = now.UTC().Truncate(time.Microsecond) // unless a former request has the id
		}
	}
	if age := r.maxAge(caller); ts.Before(now.Add(-age)) && !caller.Import.covers(ts) {
		d.refuseTooOld("is more than " + days(age) + " ago, which is the maximum age of an event here")
	}
	return id, ts
}

// maxAge is how old an item may be.
func (r Rules) maxAge(caller Caller) time.Duration {
	if own := caller.Project.MaxEventAge; own > 0 && own < r.MaxEventAge {
		return own
	}
	return r.MaxEventAge
}

func days(d time.Duration) string {
	n := int(d.Hours() / 24)
	if n == 1 {
		return "a day"
	}
	return strconv.Itoa(n) + " days"
}

// ahead reports whether ts is further ahead than a client's clock can be. The skew is what we know of that clock.
func (d *FactDraft) ahead(ts, now time.Time) bool {
	if !ts.After(now.Add(maxAhead)) {
		return false
	}
	if !d.Has(FieldSentAt) {
		return true
	}
	skew := now.Sub(d.SentAt)
	return -skew > maxSkew || ts.Add(skew).After(now.Add(maxAhead))
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

// timeless reports whether an item has an id, but neither ts nor a time in the id: when it was first received is then recorded by
// its id.
func (d *FactDraft) timeless() bool {
	if d.Has(FieldTS) || !d.Has(FieldID) {
		return false
	}
	_, inside := d.timeInID()
	return !inside
}

// timeInID returns the time inside a UUIDv7 or a ULID.
func (d *FactDraft) timeInID() (time.Time, bool) {
	if d.ID != uuid.Nil {
		return timeOf(d.ID)
	}
	return timeOfULID(d.IDText)
}

// timeOf returns the time inside a UUIDv7 (RFC 9562, section 5.7: milliseconds in the first 48 bits).
func timeOf(id uuid.UUID) (time.Time, bool) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC(), true
}

// The times that a text which looks like a ULID can have. One with another time is some other text of 26 characters.
var firstULID, lastULID = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// timeOfULID returns the time inside a ULID: milliseconds in the first 48 bits.
func timeOfULID(text string) (time.Time, bool) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return time.Time{}, false
	}
	ts := ulid.Time(id.Time()).UTC()
	return ts, !ts.Before(firstULID) && ts.Before(lastULID)
}
