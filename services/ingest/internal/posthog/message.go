// Package posthog translates what libraries for PostHog send into events, so that an application that has such a library changes its host
// and key and nothing else.
//
// Bodies and messages are those that the code of posthog-js, posthog-node, posthog-go and posthog-python sends, old and new.
package posthog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
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
	Event      foreign.Text    `json:"event"`
	UUID       foreign.Text    `json:"uuid"`
	DistinctID foreign.Text    `json:"distinct_id"`
	Timestamp  foreign.Text    `json:"timestamp"`
	SentAt     foreign.Text    `json:"sent_at"`
	Properties foreign.Members `json:"properties"`
	Set        foreign.Members `json:"$set"`
	SetOnce    foreign.Members `json:"$set_once"`

	unreadable error
	digest     foreign.Digest // of the message as it was sent
}

// Key returns the API key in a body, which may be anything: that of the request, or of the first message that has one. It is empty if there
// is none.
func Key(body []byte) string {
	if len(body) > 0 && body[0] == '[' {
		return foreign.FirstKey(body, keyOf)
	}
	if key := keyOf(body); key != "" {
		return key
	}
	return foreign.FirstKey(foreign.Member(body, "batch"), keyOf)
}

func keyOf(message []byte) string {
	if key := foreign.Key(message, "api_key", "token"); key != "" {
		return key
	}
	return foreign.Key(foreign.Member(message, "properties"), "token", "api_key")
}

// Request is what a body holds. The messages are JSON, and belong to the body: decoded ones take many times their bytes, so there is only
// one of these at a time.
type Request struct {
	sentAt foreign.Text
	batch  bool
	list   [][]byte // the first event.MaxBatch messages
	count  int      // of all messages
}

// Memory returns about how many bytes it takes to translate a body of size bytes, besides the body: the properties of all messages, and one
// message whose members are as small as they can be.
func Memory(size int) int { return size + foreign.MembersPerByte*min(size, MaxMessage) }

// Len returns how many messages there are.
func (r *Request) Len() int { return len(r.list) }

// Parse reads a body that Unwrap has returned: a message, a list of messages or an object with a batch of them. An error refuses the whole
// request. A message that is JSON of a wrong shape does not affect the others.
func Parse(body []byte) (Request, error) {
	var r Request
	var err error
	if len(body) > 0 && body[0] == '[' {
		err = decode.Array(body, r.add)
	} else if err = decode.Object(body, r.member); err == nil && !r.batch {
		r.list = [][]byte{body}
	}
	switch {
	case err != nil:
		return Request{}, malformed(err)
	case r.count > event.MaxBatch:
		return Request{}, errTooMany
	}
	return r, nil
}

func (r *Request) add(raw []byte) error {
	if r.count++; r.count <= event.MaxBatch {
		r.list = append(r.list, raw)
	}
	return nil
}

func (r *Request) member(name, value []byte) error {
	switch string(name) {
	case "sent_at":
		return r.sentAt.UnmarshalJSON(value)
	case "batch":
		if len(value) > 0 && value[0] == 'n' { // null
			return nil
		}
		r.batch, r.list, r.count = true, nil, 0
		return decode.Array(value, r.add)
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
	m.digest = foreign.DigestOf(raw)
	return m
}

func malformed(cause error) error {
	return errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of a message, of a list of messages or of a batch.").Because(cause)
}
