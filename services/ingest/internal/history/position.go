package history

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Kind is the kind of a row. Rows of the same time are listed in the order of their kinds.
type Kind uint8

// The kinds of rows.
const (
	Events Kind = iota
	Orders
	Refunds
)

// Position is a place in a list, newest first: that of the row with these values.
type Position struct {
	TS   time.Time
	Kind Kind
	ID   uuid.UUID
	// Dense says that there are so many events at TS that they are read in parts, by id.
	Dense bool
}

// Compare returns a negative number if p is listed before o, and a positive one if it is listed after it.
func (p Position) Compare(o Position) int {
	return cmp.Or(o.TS.Compare(p.TS), cmp.Compare(p.Kind, o.Kind), bytes.Compare(o.ID[:], p.ID[:]))
}

// Of returns where the rows of a kind begin that are listed after p.
func (p Position) Of(kind Kind) Position {
	switch {
	case kind > p.Kind: // all rows of its time are listed later
		return Position{TS: p.TS.Add(time.Microsecond), Kind: kind}
	case kind < p.Kind: // all rows of its time were listed before
		return Position{TS: p.TS, Kind: kind}
	default:
		return p
	}
}

const (
	positionBytes = 8 + 1 + len(uuid.UUID{}) + 1 + 4
	markBytes     = 8 + len(uuid.UUID{}) + 2
)

var (
	errCursor   error = errs.New(errs.Invalid, "invalid_cursor", "The cursor is not one that an answer contained.", cursorField("/query/cursor", "invalid_cursor"))
	errMismatch error = errs.New(errs.Invalid, "cursor_mismatch",
		"The cursor belongs to a request with other parameters. Only limit may change from page to page.", cursorField("/query/cursor", "cursor_mismatch"))
	errMark error = errs.New(errs.Invalid, "invalid_cursor", "after is not the cursor of a row of this export.", cursorField("/query/after", "invalid_cursor"))
)

func cursorField(pointer, code string) errs.Field {
	return errs.Field{Pointer: pointer, Code: code, Detail: "Send the cursor as you received it."}
}

// Cursor returns a position as text. It is valid only together with what is asked.
func (p Position) Cursor(asked string) string {
	data := binary.BigEndian.AppendUint64(nil, uint64(p.TS.UnixMicro()))
	data = append(append(data, byte(p.Kind)), p.ID[:]...)
	if p.Dense {
		data = append(data, 1)
	} else {
		data = append(data, 0)
	}
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(data, fingerprint(asked)))
}

// ParsePosition returns the position of a cursor for what is asked.
func ParsePosition(cursor, asked string) (*Position, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) != positionBytes || Kind(data[8]) > Refunds || data[25] > 1 {
		return nil, errCursor
	}
	if binary.BigEndian.Uint32(data[26:]) != fingerprint(asked) {
		return nil, errMismatch
	}
	return &Position{TS: timeOf(data), Kind: Kind(data[8]), ID: uuid.UUID(data[9:25]), Dense: data[25] == 1}, nil
}

func fingerprint(asked string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(asked))
	return h.Sum32()
}

// Mark is a place in an export, oldest first: that of the row with these values.
type Mark struct {
	TS   time.Time
	ID   uuid.UUID
	Line int16 // of an order or refund
}

// Cursor returns a mark as text.
func (m Mark) Cursor() string {
	data := binary.BigEndian.AppendUint64(nil, uint64(m.TS.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint16(append(data, m.ID[:]...), uint16(m.Line)))
}

// ParseMark returns the mark of a cursor of an export of a range.
func ParseMark(cursor string, of Range) (*Mark, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) != markBytes {
		return nil, errMark
	}
	m := &Mark{TS: timeOf(data), ID: uuid.UUID(data[8:24]), Line: int16(binary.BigEndian.Uint16(data[24:]))}
	if m.TS.Before(of.From) || !m.TS.Before(of.To) {
		return nil, errMark
	}
	return m, nil
}

func timeOf(data []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(data))).UTC()
}
