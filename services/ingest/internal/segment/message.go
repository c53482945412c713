// Package segment translates what libraries for Segment's HTTP API send into events, orders and refunds, so that a shop that has such a
// library changes its address and key and nothing else. RudderStack's libraries send the same.
//
// The calls are those of https://segment.com/docs/connections/sources/catalog/libraries/server/http-api, and the names of a shop's events
// those of https://segment.com/docs/connections/spec/ecommerce/v2.
package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
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

// message is a call as libraries send it. Libraries in languages without types send numbers as ids, and null for what is absent.
type message struct {
	WriteKey          scalar          `json:"writeKey"`
	Type              string          `json:"type"`
	MessageID         scalar          `json:"messageId"`
	UserID            scalar          `json:"userId"`
	AnonymousID       scalar          `json:"anonymousId"`
	PreviousID        scalar          `json:"previousId"`
	GroupID           scalar          `json:"groupId"`
	Event             scalar          `json:"event"`
	Name              scalar          `json:"name"`
	Category          scalar          `json:"category"`
	Timestamp         scalar          `json:"timestamp"`
	OriginalTimestamp scalar          `json:"originalTimestamp"`
	SentAt            scalar          `json:"sentAt"`
	Properties        json.RawMessage `json:"properties"`
	Traits            json.RawMessage `json:"traits"`
	Context           messageContext  `json:"context"`

	unreadable error
	digest     [sha256.Size]byte // of a message without an id, as it was sent
}

// messageContext is what a library knows of where it runs.
type messageContext struct {
	Page     page              `json:"page"`
	Campaign map[string]scalar `json:"campaign"`
}

type page struct {
	URL      scalar `json:"url"`
	Referrer scalar `json:"referrer"`
}

// scalar is a text, or a number or truth value in its place. Anything else is an error of the message.
type scalar string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, (*string)(s))
	case 'n':
		return nil
	case '{', '[':
		return fmt.Errorf("a text is expected where %.20q is", data)
	default:
		*s = scalar(data)
		return nil
	}
}

// Request is what a body holds, before it is known whose it is.
type Request struct {
	Key      string // the key in the body; empty if there is none
	messages []message
}

// Parse reads a body; call is the last part of its path. An error refuses the whole request. A message that is JSON of a wrong shape does
// not affect the others.
func Parse(call string, body []byte) (Request, error) {
	call = calls[call]
	if call != "batch" && call != "import" {
		if len(body) > MaxMessage {
			return Request{}, errLarge
		}
		m := one(body)
		if syntax := new(any); m.unreadable != nil && json.Unmarshal(body, syntax) != nil {
			return Request{}, malformed(m.unreadable)
		}
		m.Type = call
		return Request{Key: string(m.WriteKey), messages: []message{m}}, nil
	}
	var batch struct {
		Batch    []json.RawMessage `json:"batch"`
		SentAt   scalar            `json:"sentAt"`
		Context  messageContext    `json:"context"`
		WriteKey scalar            `json:"writeKey"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return Request{}, malformed(err)
	}
	if len(batch.Batch) > event.MaxBatch {
		return Request{}, errTooMany
	}
	messages := make([]message, len(batch.Batch))
	for i, raw := range batch.Batch {
		m := one(raw)
		if len(raw) > MaxMessage {
			m = message{unreadable: errLarge}
		}
		if m.SentAt == "" {
			m.SentAt = batch.SentAt
		}
		if m.Context.Campaign == nil && m.Context.Page == (page{}) {
			m.Context = batch.Context
		}
		messages[i] = m
	}
	key := batch.WriteKey
	if key == "" && len(messages) > 0 {
		key = messages[0].WriteKey // RudderStack's and old libraries have it in each message
	}
	return Request{Key: string(key), messages: messages}, nil
}

func one(raw []byte) (m message) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return message{unreadable: errors.New("a message is a JSON object")}
	}
	m.unreadable = json.Unmarshal(raw, &m)
	if m.MessageID == "" {
		m.digest = sha256.Sum256(raw)
	}
	m.Type = strings.ToLower(m.Type)
	return m
}

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of a message or a batch.").Because(cause)
}
