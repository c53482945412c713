// Package plausible translates what Plausible's scripts send into events, so that a page that has one changes the address to which it sends and
// nothing else.
//
// The members are those that the code of Plausible's script, plausible-tracker and @plausible-analytics/tracker sends, and the names of
// https://plausible.io/docs/events-api.
package plausible

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// MaxBody bounds a body, in bytes after decoding, and so the event that it holds.
const MaxBody = 64 << 10

// ErrTooLarge refuses a larger one.
var ErrTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", MaxBody))

var errNoObject = errors.New("an event is a JSON object")

// Memory returns about how many bytes it takes to translate a body of size bytes, besides the body.
func Memory(size int) int { return foreign.MembersPerByte * size }

// Parse translates a body. Its event has no id, time or visitor: scripts send none. An error refuses a body that is no JSON object.
func Parse(body []byte) (d event.Draft, err error) {
	var m foreign.Members
	if err = json.Unmarshal(body, &m); err == nil && m == nil {
		err = errNoObject
	}
	if err != nil {
		return d, errs.New(errs.Malformed, event.CodeMalformed, "The body is no JSON of an event.").Because(err)
	}
	stored := foreign.Members{}
	maps.Copy(stored, object(m, "p", "props", "m", "meta"))
	kind := string(text(m, "n", "name"))
	switch kind {
	case "pageview":
		kind = "page"
	case "engagement": // how long a page was looked at, and how far: milliseconds and percent
		add(stored, "engagement_ms", m["e"])
		add(stored, "scroll_depth", m["sd"])
	}
	page(stored, string(text(m, "u", "url")), m.Text("h") == "1")
	put(stored, "referrer", text(m, "r", "referrer"))
	put(stored, "domain", text(m, "d", "domain"))
	revenue := object(m, "$", "revenue")
	add(stored, "revenue", revenue["amount"])
	put(stored, "currency", revenue.Text("currency"))
	foreign.Type(&d, kind)
	foreign.Properties(&d, stored)
	return d, nil
}

// text returns the first of some members that is a text.
func text(m foreign.Members, names ...string) foreign.Text {
	for _, name := range names {
		if t := m.Text(name); t != "" {
			return t
		}
	}
	return ""
}

// object returns the first of some members that is an object, or a text with one: old scripts send properties in a text.
func object(m foreign.Members, names ...string) (o foreign.Members) {
	for _, name := range names {
		if o = m.Object(name); o == nil {
			_ = json.Unmarshal([]byte(m.Text(name)), &o) // a text of something else is no object
		}
		if o != nil {
			return o
		}
	}
	return nil
}

// put adds a property, unless the page uses its name itself.
func put(stored foreign.Members, name string, text foreign.Text) {
	if _, used := stored[name]; !used {
		stored.Put(name, text)
	}
}

// add does the same for a value of any kind.
func add(stored foreign.Members, name string, value json.RawMessage) {
	if _, used := stored[name]; !used && len(value) > 0 {
		stored[name] = value
	}
}

// campaign are the parameters of a URL that say where a visitor comes from.
var campaign = []string{"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"}

// page adds the URL of the page and its campaign. The part behind # is kept only where it names the page: elsewhere it is no part of what
// Plausible counts, and may be private.
func page(stored foreign.Members, address string, hashed bool) {
	if !hashed {
		address, _, _ = strings.Cut(address, "#")
	}
	put(stored, "url", foreign.Text(address))
	parsed, err := url.Parse(address)
	if err != nil {
		return
	}
	query := parsed.Query()
	for _, name := range campaign {
		put(stored, name, foreign.Text(query.Get(name)))
	}
}
