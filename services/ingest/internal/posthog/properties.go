package posthog

import (
	"maps"
	"strings"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
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
func kept(sent foreign.Members) foreign.Members {
	stored := make(foreign.Members, len(sent))
	for name, value := range sent {
		if strings.HasPrefix(name, "$") || name == "token" || name == "distinct_id" || string(value) == "null" && strings.HasPrefix(name, "utm_") {
			continue
		}
		stored[name] = value
	}
	for theirs, ours := range agreed {
		text := sent.Text(theirs)
		if _, used := stored[ours]; used || text == "" || text == direct {
			continue
		}
		if ours == "device" {
			text = foreign.Text(strings.ToLower(string(text)))
		}
		stored.Put(ours, text)
	}
	return stored
}

// traits returns what a message says of a user.
func (m *message) traits() foreign.Members {
	all := foreign.Members{}
	for _, object := range []foreign.Members{m.SetOnce, m.Properties.Object("$set_once"), m.Set, m.Properties.Object("$set")} {
		maps.Copy(all, object)
	}
	return kept(all)
}

// group returns what a message says of a group.
func (m *message) group() foreign.Members {
	all := kept(m.Properties.Object("$group_set"))
	all.Put("group_type", m.Properties.Text("$group_type"))
	all.Put("group_id", m.Properties.Text("$group_key"))
	return all
}
