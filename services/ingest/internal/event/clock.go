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

// minSkew is the smallest skew worth a property: less is the way from the client to here.
const minSkew = time.Second

// Clamp is an event whose ts is too far ahead to be counted then.
type Clamp struct {
	Project int16
	ID      uuid.UUID
	Sent    time.Time // its ts
	TS      time.Time // the time at which it is counted
}

// Clamps remembers when clamped events are counted. The time of receipt differs from retry to retry, so it cannot identify an
// event.
type Clamps interface {
	// Clamp records clamps that are not known yet and returns for each the one that was recorded first. They are committed when
	// it returns. An event that is stored at Sent already is counted then: it is not recorded, and its TS is Sent.
	Clamp(ctx context.Context, clamps []Clamp) ([]Clamp, error)
}

// ClampedError says that an event was received before while its ts was too far ahead. It is the row with the time TS.
type ClampedError struct{ TS time.Time }

// Error implements error.
func (e ClampedError) Error() string {
	return "the event was received before and is counted at " + e.TS.Format(time.RFC3339Nano)
}

// clamp moves events that are too far ahead to the time of their first receipt. Their own ts remains a property.
func (r *Recorder) clamp(ctx context.Context, drafts []Draft, events []Event, now time.Time) error {
	var ahead []int
	var clamps []Clamp
	for i := range drafts {
		if d, e := &drafts[i], &events[i]; !d.Refused() && d.ahead(e.TS, now) {
			ahead = append(ahead, i)
			clamps = append(clamps, Clamp{Project: e.Project, ID: e.ID, Sent: e.TS, TS: now.UTC().Truncate(time.Microsecond)})
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	known, err := r.clamps.Clamp(ctx, clamps)
	if err != nil {
		return err
	}
	for n, i := range ahead {
		if known[n].TS.Equal(known[n].Sent) {
			continue
		}
		events[i].clampTo(known[n].TS)
		drafts[i].Clamped = true
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
