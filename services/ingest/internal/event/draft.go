package event

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxProblems bounds the problems reported for one item. An item of 32 KiB can hold thousands of unknown fields.
const MaxProblems = 20

// Fields is a set of the fields of an item.
type Fields uint32

// The fields of events, orders and refunds.
const (
	FieldID Fields = 1 << iota
	FieldTS
	FieldProductID
	FieldSKU
	FieldUserID
	FieldType
	FieldProperties
	FieldQuantity
	FieldAmount
	FieldCurrency
	FieldAnonymousID
	FieldSentAt
	FieldLines
	FieldLine
	FieldReason

	allFields = ^Fields(0)
)

// FactDraft is the common part of an item as a client sent it: decoded, but not checked against the rules. A field with a
// value of a wrong type is in Sent and not in Good, and Problems says why.
type FactDraft struct {
	Sent, Good Fields
	// Bound is how many problems are noted at most; 0 stands for MaxProblems. The later items of a batch with many problems
	// have a lower one.
	Bound       uint8
	ID          uuid.UUID // if it is one
	IDText      string    // otherwise
	TS          time.Time
	SentAt      time.Time // by the client's clock
	ProductID   uuid.UUID
	SKU         string
	UserID      string
	AnonymousID string
	Problems    []errs.Field
}

// Draft is an event as it was sent.
type Draft struct {
	FactDraft
	Type       string
	Properties []byte
	Replaced   bool // characters of Properties were replaced, because they cannot be stored
	Clamped    bool // the event is stored at another time than TS, which is too far ahead
	NearlyFull bool // its type is among the last ones that the project can have
}

// Has reports whether one of fields was sent with a value that could be read.
func (d *FactDraft) Has(fields Fields) bool { return d.Good&fields != 0 }

// sentBadly reports whether one of fields was sent with a value that could not be read. Such a field is refused already, and
// rules skip it.
func (d *FactDraft) sentBadly(fields Fields) bool { return d.Sent&^d.Good&fields != 0 }

// Refuse notes a problem of the item.
func (d *FactDraft) Refuse(pointer, code, detail string) {
	if !d.Full() {
		d.Problems = append(d.Problems, errs.Field{Pointer: pointer, Code: code, Detail: detail})
	}
}

// Full reports whether no further problem is noted.
func (d *FactDraft) Full() bool {
	return len(d.Problems) >= int(cmp.Or(d.Bound, MaxProblems))
}

// RefuseWhole refuses an item of which nothing could be read. Rules skip all its fields.
func (d *FactDraft) RefuseWhole(code, detail string) {
	*d = FactDraft{Sent: allFields}
	d.Refuse("", code, detail)
}

// Refused reports whether any problem was found.
func (d *FactDraft) Refused() bool { return len(d.Problems) > 0 }
