// Package posthog translates what libraries for PostHog send into events, so that an application that has such a library changes its host
// and key and nothing else.
//
// Bodies and messages are those that the code of posthog-js, posthog-node, posthog-go and posthog-python sends, old and new.
package posthog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Limits of a request.
const (
	MaxBody    = 1 << 20  // decoded bytes; they are read before it is known whose they are
	MaxMessage = 64 << 10 // bytes of one message, with the properties that are not stored
)

// The refusals of a whole request. A library that is told that a request is too large halves its batch.
var (
	ErrTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", MaxBody))
	errTooMany  = errs.New(errs.TooLarge, "batch_too_large", fmt.Sprintf("A batch holds at most %d messages.", event.MaxBatch))
	errLarge    = fmt.Errorf("it has more than %d bytes", MaxMessage)
)

// message is an event as libraries send it.
type message struct {
	APIKey     scalar  `json:"api_key"`
	Token      scalar  `json:"token"`
	Event      scalar  `json:"event"`
	UUID       scalar  `json:"uuid"`
	DistinctID scalar  `json:"distinct_id"`
	Timestamp  scalar  `json:"timestamp"`
	SentAt     scalar  `json:"sent_at"`
	Properties members `json:"properties"`
	Set        members `json:"$set"`
	SetOnce    members `json:"$set_once"`

	unreadable error
	digest     [sha256.Size]byte // of the message as it was sent
}

// key returns the API key that the message names. It is empty if there is none.
func (m *message) key() string {
	for _, key := range []scalar{m.APIKey, m.Token, m.Properties.text("token"), m.Properties.text("api_key")} {
		if key != "" {
			return string(key)
		}
	}
	return ""
}

// Request is what a body holds, before it is known whose it is.
type Request struct {
	Key      string // the API key in the body; empty if there is none
	messages []message
}

// Len returns how many messages there are.
func (r *Request) Len() int { return len(r.messages) }

// Parse reads a body: a message, a list of messages or an object with a batch of them; or a form whose field data holds one of these, as
// text or in base64. An error refuses the whole request, whose key is known if there are too many messages. A message that is JSON of a wrong shape does not affect the others.
func Parse(body []byte) (Request, error) {
	body, err := unwrapped(body)
	if err != nil {
		return Request{}, err
	}
	var read envelope
	if len(body) > 0 && body[0] == '[' {
		err = decode.Array(body, read.add)
	} else if err = decode.Object(body, read.member); err == nil && !read.batch {
		read.list = [][]byte{body}
	}
	if err != nil {
		return Request{}, malformed(err)
	}
	request := Request{Key: string(cmp.Or(read.apiKey, read.token))}
	if read.count > event.MaxBatch {
		return request, errTooMany
	}
	request.messages = make([]message, len(read.list))
	for i, raw := range read.list {
		m := one(raw)
		if m.SentAt == "" {
			m.SentAt = read.sentAt
		}
		if request.Key == "" {
			request.Key = m.key()
		}
		request.messages[i] = m
	}
	return request, nil
}

// envelope is a list of messages, and what is beside it.
type envelope struct {
	apiKey, token, sentAt scalar
	batch                 bool
	list                  [][]byte // the first event.MaxBatch messages
	count                 int      // of all messages
}

func (e *envelope) add(raw []byte) error {
	if e.count++; e.count <= event.MaxBatch {
		e.list = append(e.list, raw)
	}
	return nil
}

func (e *envelope) member(name, value []byte) error {
	switch string(name) {
	case "api_key":
		return e.apiKey.UnmarshalJSON(value)
	case "token":
		return e.token.UnmarshalJSON(value)
	case "sent_at":
		return e.sentAt.UnmarshalJSON(value)
	case "batch":
		if len(value) > 0 && value[0] == 'n' { // null
			return nil
		}
		e.batch, e.list, e.count = true, nil, 0
		return decode.Array(value, e.add)
	}
	return nil
}

func one(raw []byte) (m message) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || raw[0] != '{':
		return message{unreadable: errors.New("a message is a JSON object")}
	case len(raw) > MaxMessage:
		return message{unreadable: errLarge}
	}
	m.unreadable = json.Unmarshal(raw, &m)
	m.digest = sha256.Sum256(raw)
	return m
}

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of a message, of a list of messages or of a batch.").Because(cause)
}
