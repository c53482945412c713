package event

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// The properties that are ours. They are no part of an event's content: a retry has another skew.
const (
	PropertySkew = "$skew_ms" // time of receipt minus sent_at
	PropertySent = "$ts_sent" // ts of a clamped event as it was sent
)

// certain is how far ts may be ahead for an event to be counted then in any case. Whether one that is further ahead is too far ahead
// depends on what a request says of the client's clock, and two requests with the same event may say different things at the same
// time: the first one decides (Times). It is so much less than maxAhead that no request is in progress, and no clocks of
// two replicas differ, for the time between.
const certain = maxAhead / 2

// minSkew is the smallest skew worth a property: less is the way from the client to here.
const minSkew = time.Second

// Receipt is an event that was received while its ts could not say when it is counted.
type Receipt struct {
	Project int16
	ID      uuid.UUID
	Sent    time.Time // its ts; zero for none
	TS      time.Time // the time at which it is counted if this is the first receipt
}

// Times remembers when events are counted whose ts alone does not decide it. The time of receipt differs from retry to retry, so it
// cannot identify an event.
type Times interface {
	// FirstTimes records receipts of events that are not known yet and returns for each the TS of the one that was recorded
	// first. They are committed when it returns. An event that is stored at Sent already is counted then, and not recorded.
	FirstTimes(ctx context.Context, receipts []Receipt) ([]time.Time, error)
}

// ClampedError says that an event was received before while its ts was too far ahead. It is the row with the time TS.
type ClampedError struct{ TS time.Time }

// Error implements error.
func (e ClampedError) Error() string {
	return "the event was received before and is counted at " + e.TS.Format(time.RFC3339Nano)
}

// settleTimes sets the times of events that depend on when they are received. Those that are too far ahead are moved to their first
// receipt, and their own ts remains a property.
func (r *Recorder) settleTimes(ctx context.Context, drafts []Draft, events []Event, now time.Time) error {
	received := now.UTC().Truncate(time.Microsecond)
	var index []int
	var receipts []Receipt
	for i := range drafts {
		d, e := &drafts[i], &events[i]
		if d.Refused() {
			continue
		}
		receipt := Receipt{Project: e.Project, ID: e.ID, Sent: e.TS, TS: e.TS}
		switch {
		case d.timeless():
			receipt.Sent = time.Time{}
		case d.ahead(e.TS, now):
			receipt.TS = received
		case !e.TS.After(now.Add(certain)):
			continue
		}
		index, receipts = append(index, i), append(receipts, receipt)
	}
	if len(index) == 0 {
		return nil
	}
	first, err := r.times.FirstTimes(ctx, receipts)
	if err != nil {
		return err
	}
	for n, i := range index {
		switch {
		case receipts[n].Sent.IsZero():
			events[i].TS = first[n]
		case !first[n].Equal(receipts[n].Sent):
			events[i].clampTo(first[n])
			drafts[i].Clamped = true
		}
	}
	return nil
}

// clampTo sets the time of an event that is counted at another time than its own.
func (e *Event) clampTo(ts time.Time) {
	e.Properties = withMember(e.Properties, PropertySent, strconv.Quote(e.TS.Format(time.RFC3339Nano)))
	e.TS = ts
}

// setSkew keeps the skew of the client's clock.
func (e *Event) setSkew(skew time.Duration) {
	if skew.Abs() > minSkew {
		e.Properties = withMember(e.Properties, PropertySkew, strconv.FormatInt(skew.Milliseconds(), 10))
	}
}

// withMember returns a JSON object with one more member. Of two members with the same name the last one is stored.
func withMember(object []byte, name, value string) []byte {
	object = bytes.TrimSpace(object)
	member := strconv.Quote(name) + ":" + value + "}"
	if len(object) == 0 {
		return []byte("{" + member)
	}
	body := bytes.TrimSpace(object[:len(object)-1])
	longer := append(make([]byte, 0, len(body)+1+len(member)), body...)
	if !bytes.Equal(body, []byte("{")) {
		longer = append(longer, ',')
	}
	return append(longer, member...)
}
