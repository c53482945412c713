// Package segment translates what libraries for Segment's HTTP API send into events, orders and refunds, so that a shop that has such a
// library changes its address and key and nothing else. RudderStack's libraries send the same.
//
// The calls are those of https://segment.com/docs/connections/sources/catalog/libraries/server/http-api, and the names of a shop's events
// those of https://segment.com/docs/connections/spec/ecommerce/v2.
package segment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// Limits of a request, as Segment documents them.
const (
	MaxBody    = 500 << 10 // decoded bytes
	MaxMessage = 32 << 10  // bytes of one message
)

// calls are what the last parts of the paths stand for: the names, and the letters that libraries for browsers use. A batch and an import
// hold messages of the other types.
var calls = map[string]string{
	"track": "track", "identify": "identify", "page": "page", "screen": "screen", "group": "group", "alias": "alias", "batch": "batch", "import": "import",
	"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias", "b": "batch",
}

// Metrics is the last part of the path to which libraries for browsers send how they work themselves.
const Metrics = "m"

// IsCall reports whether there is a call with the last part of a path.
func IsCall(part string) bool { return calls[part] != "" }

// The refusals of a whole request. Segment answers 400 for each of them, and its libraries do not send the same again.
var (
	ErrTooLarge = errs.New(errs.Malformed, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", MaxBody))
	errTooMany  = errs.New(errs.Malformed, "batch_too_large",
		fmt.Sprintf("A batch holds at most %d messages, with %d lines of orders and refunds.", event.MaxBatch, order.MaxBatchLines))
	errLarge = errs.New(errs.Malformed, event.CodeTooLarge, fmt.Sprintf("A message has at most %d bytes.", MaxMessage))
)

// message is a call as libraries send it. Libraries in languages without types send numbers as ids, and null for what is absent. Its
// properties and traits belong to the body.
type message struct {
	Type, MessageID, UserID, AnonymousID, PreviousID, GroupID   foreign.Text
	Event, Name, Category, Timestamp, OriginalTimestamp, SentAt foreign.Text
	Properties, Traits                                          json.RawMessage
	Context                                                     messageContext

	unreadable error
	digest     foreign.Digest // of a message without an id, as it was sent
}

// member reads a member of a message.
func (m *message) member(name, value []byte) error {
	to := m.scalar(string(name))
	switch {
	case to != nil:
		return to.UnmarshalJSON(value)
	case string(name) == "properties":
		m.Properties = value
	case string(name) == "traits":
		m.Traits = value
	case string(name) == "context":
		return m.Context.read(value)
	}
	return nil
}

// scalar returns where a member is kept that is a text; nil for others.
func (m *message) scalar(name string) *foreign.Text {
	switch name {
	case "type":
		return &m.Type
	case "messageId":
		return &m.MessageID
	case "userId":
		return &m.UserID
	case "anonymousId":
		return &m.AnonymousID
	case "previousId":
		return &m.PreviousID
	case "groupId":
		return &m.GroupID
	case "event":
		return &m.Event
	case "name":
		return &m.Name
	case "category":
		return &m.Category
	case "timestamp":
		return &m.Timestamp
	case "originalTimestamp":
		return &m.OriginalTimestamp
	case "sentAt":
		return &m.SentAt
	default:
		return nil
	}
}

// messageContext is what a library knows of where it runs.
type messageContext struct {
	Page     page
	Campaign campaign
}

// read reads what is used of a context; most of it is not.
func (c *messageContext) read(value []byte) error {
	if value[0] == 'n' {
		return nil
	}
	return decode.Object(value, func(name, value []byte) error {
		switch string(name) {
		case "page":
			return json.Unmarshal(value, &c.Page)
		case "campaign":
			return json.Unmarshal(value, &c.Campaign)
		default:
			return nil
		}
	})
}

// campaign is where a visitor came from. Of a map, small members would take many times their bytes.
type campaign struct {
	Name    foreign.Text `json:"name"`
	Source  foreign.Text `json:"source"`
	Medium  foreign.Text `json:"medium"`
	Term    foreign.Text `json:"term"`
	Content foreign.Text `json:"content"`
}

type page struct {
	URL      foreign.Text `json:"url"`
	Referrer foreign.Text `json:"referrer"`
}

// Key returns the key in a body, which may be anything: that of the request, or of the first message that has one, as RudderStack's and old
// libraries send it. It is empty if there is none.
func Key(body []byte) string {
	if key := keyOf(body); key != "" {
		return key
	}
	return foreign.FirstKey(foreign.Member(body, "batch"), keyOf)
}

func keyOf(object []byte) string { return foreign.Key(object, "writeKey") }

// Parse translates a body; call is the last part of its path, and currency is that of orders that name none. An error refuses the whole
// request. A message that is JSON of a wrong shape is an event that is refused and does not affect the others.
func Parse(call string, body []byte, currency string) (Batch, error) {
	messages, err := parse(calls[call], body)
	if err != nil {
		return Batch{}, err
	}
	return translate(messages, currency)
}

func parse(call string, body []byte) ([]message, error) {
	if call == "batch" || call == "import" {
		return parseBatch(body)
	}
	if len(body) > MaxMessage {
		return nil, errLarge
	}
	m := one(body)
	if syntax := new(any); m.unreadable != nil && json.Unmarshal(body, syntax) != nil {
		return nil, malformed(m.unreadable)
	}
	m.Type = foreign.Text(call)
	return []message{m}, nil
}

// usualMessage is about the size of a small message in bytes. It sizes the messages of a batch so that they seldom grow.
const usualMessage = 200

// batch is the document around the messages of a batch.
type batch struct {
	sentAt   foreign.Text
	context  messageContext
	messages []message
}

func (b *batch) member(name, value []byte) error {
	switch string(name) {
	case "sentAt":
		return b.sentAt.UnmarshalJSON(value)
	case "context":
		return b.context.read(value)
	case "batch":
		if value[0] == 'n' {
			return nil
		}
		b.messages = make([]message, 0, min(event.MaxBatch, len(value)/usualMessage+1))
		return decode.Array(value, b.message)
	default:
		return nil
	}
}

func (b *batch) message(raw []byte) error {
	switch {
	case len(b.messages) == event.MaxBatch:
		return errTooMany
	case len(raw) > MaxMessage:
		b.messages = append(b.messages, message{unreadable: errLarge})
	default:
		b.messages = append(b.messages, one(raw))
	}
	return nil
}

func parseBatch(body []byte) ([]message, error) {
	var b batch
	if err := decode.Object(body, b.member); errors.Is(err, errTooMany) {
		return nil, errTooMany
	} else if err != nil {
		return nil, malformed(err)
	}
	for i := range b.messages {
		m := &b.messages[i]
		if m.SentAt == "" {
			m.SentAt = b.sentAt
		}
		if m.Context == (messageContext{}) {
			m.Context = b.context
		}
	}
	return b.messages, nil
}

func one(raw []byte) (m message) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return message{unreadable: errors.New("a message is a JSON object")}
	}
	m.unreadable = decode.Object(raw, m.member)
	if m.MessageID == "" {
		m.digest = foreign.DigestOf(raw)
	}
	m.Type = foreign.Text(strings.ToLower(string(m.Type)))
	return m
}

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of a message or a batch.").Because(cause)
}
