package otlp

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
)

// CodeNoEvent refuses a log record that is no event.
const CodeNoEvent = "no_event_name"

// Events returns the events of a request. Their rules are those of other requests. A record that cannot be read, or is no event, is an
// event that is refused.
func (r *Request) Events() []event.Draft {
	drafts := make([]event.Draft, len(r.records))
	for i := range r.records {
		d, err := r.decode(i)
		if err != nil {
			drafts[i] = foreign.Unreadable(err)
			continue
		}
		d.event(&drafts[i])
	}
	return drafts
}

// attributes are what a record says, by name.
type attributes map[string]any

// take returns a text or a number, and removes it.
func (a attributes) take(names ...string) (text foreign.Text) {
	for _, name := range names {
		value := textOf(a[name])
		if value == "" {
			continue
		}
		if delete(a, name); text == "" {
			text = value
		}
	}
	return text
}

func textOf(value any) foreign.Text {
	switch value := value.(type) {
	case string:
		return foreign.Text(value)
	case int64:
		return foreign.Text(strconv.FormatInt(value, 10))
	default:
		return ""
	}
}

func (r *decoded) event(d *event.Draft) {
	all := r.attributes()
	name := all.take("event.name")
	if r.GetEventName() != "" {
		name = foreign.Text(r.GetEventName())
	}
	if name == "" {
		d.RefuseWhole(CodeNoEvent, "The log record is no event: it has no event_name, and no attribute event.name.")
		return
	}
	foreign.Type(d, string(name))
	r.identify(&d.FactDraft, all)
	r.users(&d.FactDraft, all)
	foreign.SKU(&d.FactDraft, string(all.take("product.sku")))
	if service := find(r.resource.GetAttributes(), "service.name"); service != "" {
		if _, used := all["service.name"]; !used {
			all["service.name"] = string(service)
		}
	}
	if raw, err := json.Marshal(all); err == nil && len(all) > 0 { // they are texts, numbers, lists and maps: no errors
		foreign.Raw(&d.FactDraft, raw, &d.Properties, &d.Replaced)
	}
}

// attributes returns the attributes of a record and what its body says. Of the same name, the attribute stays.
func (r *decoded) attributes() attributes {
	all := attributes{}
	switch body := valueOf(r.GetBody()).(type) {
	case map[string]any:
		maps.Copy(all, body)
	case nil:
	default:
		all["body"] = body
	}
	for _, pair := range r.GetAttributes() {
		all[pair.GetKey()] = valueOf(pair.GetValue())
	}
	return all
}

// identify sets the id and the time. A record has no id of its own unless an attribute says one: then its bytes identify it, which a sender
// sends again as they are. Its time is in them.
func (r *decoded) identify(d *event.FactDraft, all attributes) {
	at := r.GetTimeUnixNano()
	if at == 0 {
		at = r.GetObservedTimeUnixNano()
	}
	if at == 0 || at > math.MaxInt64 {
		d.Refuse("/timeUnixNano", event.CodeRequired, "A log record needs time_unix_nano or observed_time_unix_nano.")
	} else {
		foreign.Clock{Field: event.FieldTS, Name: "timeUnixNano"}.Set(d, time.Unix(0, int64(at)))
	}
	id := string(all.take("event.id", "log.record.uid"))
	if id == "" {
		digest := foreign.Digest(r.digest)
		id = digest.ID()
	}
	foreign.ID(d, id)
}

// users sets whose event it is. A session is a visitor while nobody else is named, and a property anyway.
func (r *decoded) users(d *event.FactDraft, all attributes) {
	from := r.resource.GetAttributes()
	user, anonymous := all.take("user.id", "enduser.id"), all.take("enduser.pseudo.id")
	session := all.take("session.id")
	if session == "" {
		session = find(from, "session.id")
	}
	if session != "" {
		all["session_id"] = string(session)
	}
	if user == "" {
		user = find(from, "user.id")
	}
	if user == "" && anonymous == "" {
		anonymous = session
	}
	foreign.Users(d, user, anonymous)
}

// find returns a short text of a resource. A resource is that of many records, so a long one would be stored with each of them.
func find(pairs []*common.KeyValue, name string) foreign.Text {
	for _, pair := range pairs {
		if pair.GetKey() != name {
			continue
		}
		if text := textOf(valueOf(pair.GetValue())); len(text) <= mostOfResource {
			return text
		}
	}
	return ""
}

const mostOfResource = 200

// valueOf returns a value as package json takes it; nil for one that is absent. Numbers that JSON has not are texts.
func valueOf(value *common.AnyValue) any {
	switch value := value.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return value.StringValue
	case *common.AnyValue_BoolValue:
		return value.BoolValue
	case *common.AnyValue_IntValue:
		return value.IntValue
	case *common.AnyValue_DoubleValue:
		if math.IsNaN(value.DoubleValue) || math.IsInf(value.DoubleValue, 0) {
			return strconv.FormatFloat(value.DoubleValue, 'g', -1, 64)
		}
		return value.DoubleValue
	case *common.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(value.BytesValue)
	case *common.AnyValue_ArrayValue:
		list := make([]any, len(value.ArrayValue.GetValues()))
		for i, element := range value.ArrayValue.GetValues() {
			list[i] = valueOf(element)
		}
		return list
	case *common.AnyValue_KvlistValue:
		object := make(map[string]any, len(value.KvlistValue.GetValues()))
		for _, pair := range value.KvlistValue.GetValues() {
			object[pair.GetKey()] = valueOf(pair.GetValue())
		}
		return object
	default:
		return nil
	}
}
