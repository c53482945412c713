// Package cloudevents translates CloudEvents 1.0 into events. It reads the JSON formats of
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md, and what the handler has read from headers.
//
// It does not use sdk-go, which takes 12 µs and 32 allocations to read a small event: more than everything else that the event costs here.
// FuzzStructured compares both.
package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

const (
	// MaxEvent is how many bytes an event has at most. The specification asks for at least 64 KB.
	MaxEvent = 64 << 10
	// maxExtensions bounds the extension attributes of an event.
	maxExtensions = 64
)

var (
	errTooMany    = errs.New(errs.TooLarge, "batch_too_large", fmt.Sprintf("A batch holds at most %d events.", event.MaxBatch))
	errLarge      = fmt.Errorf("it has more than %d bytes", MaxEvent)
	errExtensions = fmt.Errorf("it has more than %d extension attributes", maxExtensions)
	errNotJSON    = errors.New("data must be JSON, and datacontenttype must say so")
)

// message is a CloudEvent as it was sent. Its data and its extensions belong to the body.
type message struct {
	SpecVersion, ID, Source, Type, Subject, Time, ContentType foreign.Text
	User, Anonymous, SKU                                      foreign.Text // extension attributes

	data       []byte // JSON; nil if there is none
	packed     []byte // data in base64, in quotes
	extensions []extension
	unreadable error
}

// extension is an attribute that becomes a property.
type extension struct {
	name  string
	value []byte // JSON
	used  bool   // the data has a member with this name
}

// attribute returns where an attribute is kept; nil for those that become properties.
func (m *message) attribute(name string) *foreign.Text {
	switch name {
	case "specversion":
		return &m.SpecVersion
	case "id":
		return &m.ID
	case "source":
		return &m.Source
	case "type":
		return &m.Type
	case "subject":
		return &m.Subject
	case "time":
		return &m.Time
	case "datacontenttype":
		return &m.ContentType
	case "userid":
		return &m.User
	case "anonymousid":
		return &m.Anonymous
	case "sku":
		return &m.SKU
	default:
		return nil
	}
}

func (m *message) member(name, value []byte) error {
	if value[0] == 'n' { // null: the attribute is absent
		return nil
	}
	switch string(name) {
	case "data":
		m.data = value
	case "data_base64":
		m.packed = value
	case "dataschema":
	default:
		if to := m.attribute(string(name)); to != nil {
			return to.UnmarshalJSON(value)
		}
		return m.extend(string(name), value)
	}
	return nil
}

func (m *message) extend(name string, value []byte) error {
	if len(m.extensions) == maxExtensions {
		return errExtensions
	}
	m.extensions = append(m.extensions, extension{name: name, value: value})
	return nil
}

// unpack replaces data in base64 by what it stands for, which must be JSON.
func (m *message) unpack() error {
	if m.packed == nil {
		return nil
	}
	var coded string
	if err := json.Unmarshal(m.packed, &coded); err != nil {
		return errors.New("data_base64 must be a string")
	}
	if !isJSON(string(m.ContentType)) {
		return errNotJSON
	}
	data, err := base64.StdEncoding.DecodeString(coded)
	m.data = bytes.TrimSpace(data)
	return err
}

// isJSON reports whether a media type is that of JSON. One that is absent is.
func isJSON(mediaType string) bool {
	name, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	name = strings.TrimSpace(name)
	return name == "" || strings.HasSuffix(name, "/json") || strings.HasSuffix(name, "+json")
}

// Request is what a body holds.
type Request struct{ messages []message }

// Len returns how many events there are.
func (r *Request) Len() int { return len(r.messages) }

// Binary returns the event of a request whose attributes are in headers and whose body is its data.
func Binary(attributes map[string]string, contentType string, data []byte) Request {
	m := message{ContentType: foreign.Text(contentType), data: bytes.TrimSpace(data)}
	delete(attributes, "dataschema")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		text := attributes[name]
		if to := m.attribute(name); to != nil {
			*to = foreign.Text(text)
		} else if err := m.extend(name, quoted(nil, text)); err != nil {
			m.unreadable = err
		}
	}
	switch {
	case len(data) > MaxEvent:
		m.unreadable = errLarge
	case len(m.data) == 0:
		m.data = nil
	case !isJSON(contentType):
		m.unreadable = errNotJSON
	case !json.Valid(m.data):
		m.unreadable = errors.New("the body is no valid JSON")
	}
	return Request{messages: []message{m}}
}

// Structured reads a body that is one event.
func Structured(body []byte) (Request, error) {
	m := one(body)
	if m.unreadable != nil && !json.Valid(body) {
		return Request{}, malformed(m.unreadable)
	}
	return Request{messages: []message{m}}, nil
}

// usualEvent is about the size of a small event in bytes. It sizes the messages of a batch so that they seldom grow.
const usualEvent = 200

// Batch reads a body that is an array of events. One that is JSON of a wrong shape does not affect the others.
func Batch(body []byte) (Request, error) {
	messages := make([]message, 0, min(event.MaxBatch, len(body)/usualEvent+1))
	err := decode.Array(body, func(raw []byte) error {
		if len(messages) == event.MaxBatch {
			return errTooMany
		}
		messages = append(messages, one(raw))
		return nil
	})
	switch {
	case errors.Is(err, errTooMany):
		return Request{}, errTooMany
	case err != nil:
		return Request{}, malformed(err)
	}
	return Request{messages: messages}, nil
}

func one(raw []byte) (m message) {
	if len(raw) > MaxEvent {
		return message{unreadable: errLarge}
	}
	if m.unreadable = decode.Object(raw, m.member); m.unreadable == nil {
		m.unreadable = m.unpack()
	}
	return m
}

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of a CloudEvent, or of an array of them for a batch.").Because(cause)
}
