package decode

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	maxPropertyDepth = 32 // nesting of properties; the database accepts somewhat more
	maxShownName     = 64 // bytes of an unknown field's name that an answer repeats
	uuidLength       = 36
)

// event reads an event into d. Errors are syntax errors only.
func (s *scanner) event(d *event.Draft) error {
	return s.item(&d.FactDraft, func(name []byte) error {
		switch string(name) {
		case "type":
			return s.eventType(d)
		case "properties":
			return s.properties(&d.FactDraft, &d.Properties, &d.Replaced)
		case "sent_at":
			return s.time(&d.FactDraft, event.FieldSentAt, "sent_at", &d.SentAt)
		default:
			return s.common(&d.FactDraft, name)
		}
	})
}

// errEnough ends the reading of an object that has as many problems as are noted.
var errEnough = errors.New("enough problems")

// item reads an object whose members member knows. Once the item has as many problems as are noted, the rest of it is only
// scanned for its end, which costs a small part of decoding it.
func (s *scanner) item(d *event.FactDraft, member func(name []byte) error) error {
	if s.peek() != '{' {
		d.RefuseWhole(event.CodeWrongType, "An item must be a JSON object.")
		return s.skip(1)
	}
	err := s.object(func(name []byte) error {
		if d.Full() {
			return errEnough
		}
		return member(name)
	})
	if errors.Is(err, errEnough) {
		return s.skipMembers()
	}
	return err
}

// common reads a field that events and purchases share.
func (s *scanner) common(d *event.FactDraft, name []byte) error {
	switch string(name) {
	case "id":
		return s.id(d)
	case "ts":
		return s.time(d, event.FieldTS, "ts", &d.TS)
	case "product_id":
		return s.uuid(d, event.FieldProductID, "product_id", &d.ProductID)
	case "sku":
		return s.string(d, event.FieldSKU, "sku", &d.SKU)
	case "user_id":
		return s.string(d, event.FieldUserID, "user_id", &d.UserID)
	case "anonymous_id":
		return s.string(d, event.FieldAnonymousID, "anonymous_id", &d.AnonymousID)
	default:
		refuseUnknown(d, name)
		return s.skip(1)
	}
}

// begin notes that a field was sent. It reports false and refuses the item if the field was sent before, because the two
// values may contradict each other.
func begin(d *event.FactDraft, field event.Fields, name string) bool {
	if d.Sent&field != 0 {
		d.Good &^= field
		d.Refuse("/"+name, event.CodeDuplicateField, name+" is there twice.")
		return false
	}
	d.Sent |= field
	return true
}

// null reads a null, which means that the member is absent, if it is the next value.
func (s *scanner) null() (isNull bool, err error) {
	if s.peek() != 'n' {
		return false, nil
	}
	return true, s.literal("null")
}

// scalar reads the text of a string field. It returns nil if there is none: the field is null, or refused.
func (s *scanner) scalar(d *event.FactDraft, field event.Fields, name string) ([]byte, error) {
	if isNull, err := s.null(); isNull {
		return nil, err
	}
	first := begin(d, field, name)
	if s.peek() != '"' {
		if first {
			d.Refuse("/"+name, event.CodeWrongType, name+" must be a string.")
		}
		return nil, s.skip(1)
	}
	text, err := s.text()
	if err != nil || !first {
		return nil, err
	}
	return text, nil
}

func (s *scanner) string(d *event.FactDraft, field event.Fields, name string, to *string) error {
	text, err := s.scalar(d, field, name)
	if text != nil {
		*to = s.names.string(text)
		d.Good |= field
	}
	return err
}

// eventType reads the type. The usual types cost no allocation.
func (s *scanner) eventType(d *event.Draft) error {
	text, err := s.scalar(&d.FactDraft, event.FieldType, "type")
	if text == nil {
		return err
	}
	d.Good |= event.FieldType
	switch string(text) {
	case "view":
		d.Type = "view"
	case "click":
		d.Type = "click"
	case "add_to_cart":
		d.Type = "add_to_cart"
	default:
		d.Type = s.names.string(text)
	}
	return nil
}

// id reads an id, which is any text. Most are UUIDs, which cost no allocation.
func (s *scanner) id(d *event.FactDraft) error {
	text, err := s.scalar(d, event.FieldID, "id")
	if text == nil {
		return err
	}
	if id, ok := parseUUID(text); ok {
		d.ID = id
	} else {
		d.IDText = string(text)
	}
	d.Good |= event.FieldID
	return nil
}

func (s *scanner) uuid(d *event.FactDraft, field event.Fields, name string, to *uuid.UUID) error {
	text, err := s.scalar(d, field, name)
	if text == nil {
		return err
	}
	id, ok := parseUUID(text)
	if !ok {
		d.Refuse("/"+name, event.CodeInvalidValue, name+" must be a UUID such as 0195a3f4-11d2-7c9e-a6f0-8b3e5d7c2a91.")
		return nil
	}
	*to = id
	d.Good |= field
	return nil
}

// parseUUID accepts only the text form of RFC 9562, not the other forms that google/uuid reads (braces, URNs, bare digits),
// so that an id has one spelling. It refuses the nil UUID.
func parseUUID(text []byte) (uuid.UUID, bool) {
	id, err := uuid.ParseBytes(text)
	return id, err == nil && len(text) == uuidLength && id != uuid.Nil
}

func (s *scanner) time(d *event.FactDraft, field event.Fields, name string, to *time.Time) error {
	text, err := s.scalar(d, field, name)
	if text == nil {
		return err
	}
	if text = upper(text); to.UnmarshalText(text) == nil && validOffset(text) { // RFC 3339
		d.Good |= field
	} else {
		d.Refuse("/"+name, event.CodeInvalidValue, name+" must be an RFC 3339 time such as 2026-03-14T09:26:53Z.")
	}
	return nil
}

// upper returns a time with the separators T and Z in upper case. RFC 3339 (section 5.6) allows both cases; time.Time does not.
func upper(text []byte) []byte {
	if bytes.ContainsAny(text, "tz") {
		return bytes.ToUpper(text) // a copy, because the text belongs to the body
	}
	return text
}

// validOffset reports whether the offset at the end of a time is one of a day. time.Time takes +24:00 and +01:60.
func validOffset(text []byte) bool {
	n := len(text) // at least 20, because time.Time has parsed it
	return text[n-1] == 'Z' || string(text[n-5:n-3]) <= "23" && string(text[n-2:]) <= "59"
}

func (s *scanner) integer(d *event.FactDraft, field event.Fields, name string, to *int64) error {
	if isNull, err := s.null(); isNull {
		return err
	}
	first := begin(d, field, name)
	c := s.peek()
	raw, err := s.raw()
	if err != nil || !first {
		return err
	}
	n, parseErr := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case c != '-' && (c < '0' || c > '9') || strings.ContainsAny(string(raw), ".eE"):
		d.Refuse("/"+name, event.CodeWrongType, name+" must be an integer.")
	case parseErr != nil:
		d.Refuse("/"+name, event.CodeInvalidValue, name+" is out of range.")
	default:
		*to = n
		d.Good |= field
	}
	return nil
}

// Properties gives an object to a draft as its properties, with the checks of the member properties of an event. An error says that raw
// is no JSON value.
func Properties(raw []byte, d *event.FactDraft, to *[]byte, replaced *bool) error {
	s := scanner{data: raw}
	return s.properties(d, to, replaced)
}

// properties keeps an object, after checking that the database accepts it. An event that the database refuses fails the
// shared transaction, which then has to be bisected. A text that cannot be stored costs characters and not the event.
func (s *scanner) properties(d *event.FactDraft, to *[]byte, replaced *bool) error {
	if isNull, err := s.null(); isNull {
		return err
	}
	first := begin(d, event.FieldProperties, "properties")
	c := s.peek()
	s.notes, s.depth = 0, 0
	raw, err := s.raw()
	if err != nil || !first {
		return err
	}
	switch {
	case c != '{':
		d.Refuse("/properties", event.CodeWrongType, "properties must be an object.")
	case s.notes&longNumber != 0:
		d.Refuse("/properties", event.CodeInvalidValue,
			fmt.Sprintf("Numbers in properties have at most %d characters and %d digits of exponent.", maxNumber, maxExponents))
	case s.depth > maxPropertyDepth:
		d.Refuse("/properties", event.CodeInvalidValue, fmt.Sprintf("properties may be nested %d levels deep at most.", maxPropertyDepth))
	default:
		*to = raw
		if s.notes&(notUTF8|notText) != 0 {
			*to, *replaced = storable(raw), true
		}
		d.Good |= event.FieldProperties
	}
	return nil
}

// escapePointer escapes a name in a JSON pointer (RFC 6901).
var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// refuseUnknown refuses a field that does not exist. The client chose its name, so the answer shows it shortened and as
// valid text.
func refuseUnknown(d *event.FactDraft, name []byte) {
	shown := strings.ToValidUTF8(string(name[:min(len(name), maxShownName)]), "?")
	pointer := escapePointer.Replace(shown)
	d.Refuse("/"+pointer, event.CodeUnknownField, fmt.Sprintf("There is no field %q.", shown))
}
