package cloudevents

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// Events returns the events of a request. Their rules are those of other requests. What cannot be read is an event that is refused.
func (r *Request) Events() []event.Draft {
	drafts := make([]event.Draft, len(r.messages))
	for i := range r.messages {
		r.messages[i].event(&drafts[i])
	}
	return drafts
}

func (m *message) event(d *event.Draft) {
	if m.unreadable != nil {
		*d = foreign.Unreadable(m.unreadable)
		return
	}
	if m.SpecVersion != "1.0" {
		d.Refuse("/specversion", event.CodeInvalidValue, "specversion must be 1.0.")
	}
	foreign.Type(d, string(m.Type))
	m.identify(&d.FactDraft)
	m.time(&d.FactDraft)
	m.properties(d)
	foreign.Users(&d.FactDraft, m.User, m.Anonymous)
	foreign.SKU(&d.FactDraft, string(m.SKU))
}

// namespace is that of the ids of CloudEvents, for version 5 (RFC 9562, section 5.5).
var namespace = uuid.MustParse("c2f5c3d0-6a0e-4e0b-8b5e-2f8f0c6b7d3a")

// identify sets the id. Two sources may use the same id for different events, so it is made of both.
func (m *message) identify(d *event.FactDraft) {
	named(d, "id", m.ID)
	named(d, "source", m.Source)
	d.ID = uuid.NewSHA1(namespace, []byte(m.Source+"\n"+m.ID))
	foreign.Set(d, event.FieldID, true)
}

// named checks a part of the id.
func named(d *event.FactDraft, name string, text foreign.Text) {
	switch {
	case text == "":
		d.Refuse("/"+name, event.CodeRequired, name+" is required.")
	case strings.ContainsRune(string(text), utf8.RuneError): // stands for what was no UTF-8, so two ids may have become the same
		d.Refuse("/"+name, event.CodeInvalidValue, name+" must be UTF-8.")
	}
}

// time sets the time, which a sender gives the event when it happens, so that a retry has the same.
func (m *message) time(d *event.FactDraft) {
	if m.Time == "" {
		d.Refuse("/time", event.CodeRequired, "time is required here: it says when the event happened, also when it is sent again.")
		return
	}
	foreign.Clock{Field: event.FieldTS, Name: "time"}.Read(d, m.Time)
}

// properties makes those of the data, the extension attributes, the source, and the subject unless it is the product. What the data itself
// calls so stays. User ids in the data are taken out of it, if no attribute says them.
func (m *message) properties(d *event.Draft) {
	var sku foreign.Text
	extra := m.extra()
	out := append(make([]byte, 0, len(m.data)+len(extra)*64), '{')
	user, anonymous := m.User == "", m.Anonymous == ""
	err := m.eachDatum(func(name, value []byte) error {
		switch string(name) {
		case "user_id":
			if user {
				return m.User.UnmarshalJSON(value)
			}
		case "anonymous_id":
			if anonymous {
				return m.Anonymous.UnmarshalJSON(value)
			}
		case "sku":
			if foreign.Counted(string(m.Type)) {
				if err := sku.UnmarshalJSON(value); err != nil {
					return err
				}
			}
		}
		for i := range extra {
			extra[i].used = extra[i].used || extra[i].name == string(name)
		}
		out = append(append(quoted(out, string(name)), ':'), value...)
		out = append(out, ',')
		return nil
	})
	if err != nil {
		d.Refuse("/data", event.CodeWrongType, fmt.Sprintf("data must be a JSON object: %s.", err))
		return
	}
	if m.SKU == "" && foreign.Counted(string(m.Type)) {
		if m.SKU = sku; sku == "" {
			m.SKU = m.Subject
		}
	}
	for i := range extra {
		if e := &extra[i]; !e.used {
			out = append(append(append(quoted(out, e.name), ':'), e.value...), ',')
		}
	}
	out[len(out)-1] = '}' // there is the source at least, here or in the data
	foreign.Raw(&d.FactDraft, out, &d.Properties, &d.Replaced)
}

// extra returns the properties that are not in the data.
func (m *message) extra() []extension {
	extra := append(m.extensions, extension{name: "source", value: quoted(nil, string(m.Source))}) //nolint:gocritic // nobody else appends
	if m.Subject != "" && (!foreign.Counted(string(m.Type)) || m.SKU != "") {
		extra = append(extra, extension{name: "subject", value: quoted(nil, string(m.Subject))})
	}
	return extra
}

// eachDatum calls member with each member of the data.
func (m *message) eachDatum(member func(name, value []byte) error) error {
	if len(m.data) == 0 {
		return nil
	}
	return decode.Object(m.data, member)
}

// quoted appends a text as JSON.
func quoted(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			encoded, _ := json.Marshal(text) //nolint:errchkjson // a text has no errors
			return append(to, encoded...)
		}
	}
	to = append(append(to, '"'), text...)
	return append(to, '"')
}
