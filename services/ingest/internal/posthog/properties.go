package posthog

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// agreed are the names that the libraries' own properties have here. The others, whose names begin with $ as well, are not stored: they say
// how the library works, or repeat what another one says.
var agreed = map[string]string{
	"$current_url": "url", "$referrer": "referrer", "$session_id": "session_id", "$device_type": "device",
	"$browser": "browser", "$os": "os", "$title": "title", "$screen_name": "name",
}

// direct is what libraries for browsers send as the referrer of a page that has none.
const direct = "$direct"

// kept returns the properties that are stored: those of the application, and those with agreed names where the application does not use
// these itself.
func kept(sent members) members {
	stored := make(members, len(sent))
	for name, value := range sent {
		if strings.HasPrefix(name, "$") || name == "token" || name == "distinct_id" || string(value) == "null" && strings.HasPrefix(name, "utm_") {
			continue
		}
		stored[name] = value
	}
	for theirs, ours := range agreed {
		text := sent.text(theirs)
		if _, used := stored[ours]; used || text == "" || text == direct {
			continue
		}
		if ours == "device" {
			text = scalar(strings.ToLower(string(text)))
		}
		put(stored, ours, text)
	}
	return stored
}

// traits returns what a message says of a user.
func (m *message) traits() members {
	all := members{}
	for _, object := range []members{m.SetOnce, m.Properties.object("$set_once"), m.Set, m.Properties.object("$set")} {
		maps.Copy(all, object)
	}
	return kept(all)
}

// group returns what a message says of a group.
func (m *message) group() members {
	all := kept(m.Properties.object("$group_set"))
	put(all, "group_type", m.Properties.text("$group_type"))
	put(all, "group_id", m.Properties.text("$group_key"))
	return all
}

func put(to members, name string, text scalar) {
	if value, err := json.Marshal(string(text)); err == nil && text != "" {
		to[name] = value
	}
}

// properties sets those of an event.
func properties(d *event.Draft, stored members) {
	if len(stored) == 0 {
		return
	}
	raw, err := json.Marshal(stored)
	if err == nil {
		err = decode.Properties(raw, &d.FactDraft, &d.Properties, &d.Replaced)
	}
	if err != nil {
		d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+err.Error()+".")
	}
}
