// Package decode reads events and purchases from JSON and NDJSON.
//
// The decoder is written by hand for two reasons. An item reports all its problems at once and does not affect other items:
// each unknown field, repeated field and value of a wrong type is noted in the item's draft, and only a syntax error fails
// the document. And encoding/json would take most of the time that an event costs.
package decode

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Event reads the one event that data holds. A document that is not JSON is a Malformed error; everything else that is
// wrong is in the draft. Properties share data's memory.
func Event(data []byte) (event.Draft, error) {
	s := scanner{data: unmarked(data)}
	var d event.Draft
	err := s.event(&d)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return event.Draft{}, malformed(err)
	}
	return d, nil
}

// unmarked returns data without a byte order mark, which some editors and spreadsheets write before a text. RFC 8259
// (section 8.1) allows to skip it.
func unmarked(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, fmt.Sprintf("The body is not valid JSON: %s.", cause))
}

var errBatchTooLarge = errs.New(errs.TooLarge, "batch_too_large",
	fmt.Sprintf("A batch holds at most %d events.", event.MaxBatch))

var errEmptyBatch = errs.New(errs.Invalid, "empty_batch", "The batch holds no events.",
	errs.Field{Pointer: "/events", Code: "empty_batch", Detail: "Must hold at least one event."})

// Bulk reads the document {"events": […]}. Each event that is an element of it gets a draft; a document of another
// shape is an Invalid error. Properties share data's memory.
func Bulk(data []byte) ([]event.Draft, error) {
	s := scanner{data: unmarked(data), names: new(names)}
	return (&document{scanner: &s}).events()
}

// Beacon reads a document as Bulk does, in which the field key may be, too: the public key of the page that sends it. Whoever needs the key finds it
// first (foreign.Key).
func Beacon(data []byte) ([]event.Draft, error) {
	s := scanner{data: unmarked(data), names: new(names)}
	return (&document{scanner: &s, keyed: true}).events()
}

func (d *document) events() ([]event.Draft, error) {
	s := d.scanner
	err := d.read()
	if err == nil {
		err = s.end()
	}
	switch {
	case errors.Is(err, errBatchTooLarge):
		return nil, errBatchTooLarge
	case errors.Is(err, errEnough):
		return nil, event.Refusal(d.shape.Problems)
	case err != nil:
		return nil, malformed(err)
	case d.shape.Refused():
		return nil, event.Refusal(d.shape.Problems)
	case len(d.drafts) == 0:
		return nil, errEmptyBatch
	}
	d.stamp()
	return d.drafts, nil
}

// usualEvent is about the size of a small event in bytes. It sizes the drafts of a document so that they seldom grow.
const usualEvent = 120

// document is a bulk document while it is read.
type document struct {
	*scanner
	shape  event.FactDraft // holds the problems of the document itself
	drafts []event.Draft
	seen   bool
	sent   event.FactDraft // holds sent_at of the document
	spare  spare
	keyed  bool // the field key may be there
}

func (d *document) read() error {
	if d.peek() != '{' {
		d.shape.Refuse("", event.CodeWrongType, "The body must be a JSON object with the field events.")
		return d.skip(1)
	}
	if err := d.object(d.member); err != nil {
		return err
	}
	if !d.seen {
		d.shape.Refuse("/events", event.CodeRequired, "events is required.")
	}
	return nil
}

func (d *document) member(name []byte) error {
	if d.shape.Full() {
		return errEnough // the document is refused, so its end does not matter
	}
	if string(name) == "sent_at" {
		err := d.time(&d.sent, event.FieldSentAt, "sent_at", &d.sent.SentAt)
		d.shape.Problems = append(d.shape.Problems, d.sent.Problems...)
		d.sent.Problems = nil
		return err
	}
	if d.keyed && string(name) == "key" {
		var key string
		err := d.string(&d.sent, event.FieldReason, "key", &key) // a field that a document has not
		d.shape.Problems = append(d.shape.Problems, d.sent.Problems...)
		d.sent.Problems = nil
		return err
	}
	if string(name) != "events" {
		refuseUnknown(&d.shape, name)
		return d.skip(1)
	}
	if d.seen {
		d.shape.Refuse("/events", event.CodeDuplicateField, "events is there twice.")
		return d.skip(1)
	}
	d.seen = true
	if d.peek() != '[' {
		d.shape.Refuse("/events", event.CodeWrongType, "events must be an array.")
		return d.skip(1)
	}
	return d.array(d.element)
}

// stamp gives the events without sent_at that of the document.
func (d *document) stamp() {
	if !d.sent.Has(event.FieldSentAt) {
		return
	}
	for i := range d.drafts {
		if draft := &d.drafts[i]; draft.Sent&event.FieldSentAt == 0 {
			draft.Sent, draft.Good, draft.SentAt = draft.Sent|event.FieldSentAt, draft.Good|event.FieldSentAt, d.sent.SentAt
		}
	}
}

func (d *document) element() error {
	if len(d.drafts) == event.MaxBatch {
		return errBatchTooLarge
	}
	if d.drafts == nil {
		d.drafts = make([]event.Draft, 0, min(event.MaxBatch, len(d.data)/usualEvent+1))
	}
	d.drafts = append(d.drafts, event.Draft{})
	draft := &d.drafts[len(d.drafts)-1]
	d.spare.give(&draft.FactDraft)
	d.peek()
	start := d.pos
	if err := d.event(draft); err != nil {
		return err
	}
	if d.pos-start > event.MaxBytes {
		refuseTooLarge(draft)
	}
	d.spare.take(&draft.FactDraft)
	return nil
}

func refuseTooLarge(d *event.Draft) {
	*d = event.Draft{}
	d.RefuseWhole(event.CodeTooLarge, fmt.Sprintf("The event is larger than %d bytes.", event.MaxBytes))
}
