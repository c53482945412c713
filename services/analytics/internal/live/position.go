package live

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"
)

// Position is a place in the stream of a project: batches are in the order of their receipt, and the events of a batch in the order of
// their key. Everything before the watermark is committed, and streams end there, so nothing is stored later before a position that a
// viewer has reached.
type Position struct {
	Received time.Time // of the batch, in microseconds
	Batch    int64
	TS       time.Time // of the event, in microseconds
	Event    uuid.UUID
}

// at is the place before the first batch that was received at a time.
func at(received time.Time) Position { return Position{Received: received} }

// endOf is the place behind all events of a batch.
func endOf(b Batch) Position {
	return Position{Received: b.Received, Batch: b.ID, TS: time.UnixMicro(math.MaxInt64), Event: uuid.Max}
}

// known returns a time: every batch received before it is committed, if p is a position that the poller has reached.
func (p Position) known() time.Time {
	if p.Batch == 0 {
		return p.Received
	}
	return p.Received.Add(time.Microsecond)
}

// Compare is negative if p is before o.
func (p Position) Compare(o Position) int {
	return cmp.Or(
		cmp.Compare(micros(p.Received), micros(o.Received)), cmp.Compare(p.Batch, o.Batch),
		cmp.Compare(micros(p.TS), micros(o.TS)), bytes.Compare(p.Event[:], o.Event[:]),
	)
}

// micros makes the zero time the first of all.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixMicro()
}

const positionBytes = 8 + 8 + 8 + 16

var positionEncoding = base64.RawURLEncoding.Strict()

// String returns the position as the id of a message.
func (p Position) String() string {
	raw := make([]byte, 0, positionBytes)
	raw = binary.BigEndian.AppendUint64(raw, uint64(micros(p.Received)))
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.Batch))
	raw = binary.BigEndian.AppendUint64(raw, uint64(micros(p.TS)))
	return positionEncoding.EncodeToString(append(raw, p.Event[:]...))
}

// ParsePosition reads the id of a message. ok is false if it is none.
func ParsePosition(id string) (p Position, ok bool) {
	raw, err := positionEncoding.DecodeString(id)
	if err != nil || len(raw) != positionBytes {
		return Position{}, false
	}
	p.Received = fromMicros(raw)
	p.Batch = int64(binary.BigEndian.Uint64(raw[8:]))
	p.TS = fromMicros(raw[16:])
	copy(p.Event[:], raw[24:])
	return p, !p.Received.IsZero() && p.Batch >= 0
}

func fromMicros(raw []byte) time.Time {
	n := int64(binary.BigEndian.Uint64(raw))
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}
