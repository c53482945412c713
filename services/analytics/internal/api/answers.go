package api

import (
	"net/http"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// Headers returns the headers of a cached answer, for cache.Options.
func Headers(cache.Entry) reply.Options { return headers(reply.Options{}) }

// headers adds those that all answers in JSON have. The same request may be answered in other formats.
func headers(o reply.Options) reply.Options {
	o.CacheControl, o.Vary = private, "Accept"
	return o
}

// private: only the service knows whether an answer is fresh, and answers belong to their caller.
const private = "private, no-cache"

// Prepared are the operations whose answers in JSON are kept for requests that are the same. What a guest reads has no sales.
func Prepared() map[string]edge.Audience {
	members := func(caller authn.Principal) string {
		if isGuest(caller) {
			return "guests"
		}
		return ""
	}
	return map[string]edge.Audience{
		"topProducts": members, "topUsers": members, "overview": members, "eventNames": members, "eventTimeseries": members,
		"productTimeseries": members, "productTimeseriesBySKU": members, "userSummary": members,
		"mySummary": func(caller authn.Principal) string { return caller.Subject },
	}
}

// held is an answer in the cache with what its key was made of. It is valid while the process would make the same key of the same
// request, from what it remembers: a version token is remembered for redis.Versions' time, what a name stands for as
// long as Numbers says, and the time zones of the project as long as Zones says.
type held struct {
	slot    *cache.Slot
	server  *Server
	project project
	about   about
	tokens  []string  // of about.fields
	today   time.Time // see question
}

// Use implements edge.Held.
func (h *held) Use() *reply.Reply {
	switch {
	case !h.today.IsZero() && !h.server.today(h.project).Equal(h.today):
	case h.about.name != "" && !h.server.Numbers.unchanged(h.about):
	case !h.server.Zones.unchanged(h.project):
	case !h.server.Versions.Unchanged(h.about.fields, h.tokens):
	default:
		return h.slot.Use()
	}
	return nil
}

// answered is the 200 of an operation.
type answered struct {
	reply *reply.Reply
	held  *held // nil if nobody keeps the answer
	asked http.Header
}

func (a answered) write(w http.ResponseWriter) error {
	a.reply.Write(w, a.asked)
	return nil
}

// VisitTopProductsResponse implements TopProductsResponseObject.
func (a answered) VisitTopProductsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitProductTimeseriesResponse implements ProductTimeseriesResponseObject.
func (a answered) VisitProductTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitMySummaryResponse implements MySummaryResponseObject.
func (a answered) VisitMySummaryResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitUserSummaryResponse implements UserSummaryResponseObject.
func (a answered) VisitUserSummaryResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitProductTimeseriesBySKUResponse implements ProductTimeseriesBySKUResponseObject.
func (a answered) VisitProductTimeseriesBySKUResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitOverviewResponse implements OverviewResponseObject.
func (a answered) VisitOverviewResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitEventNamesResponse implements EventNamesResponseObject.
func (a answered) VisitEventNamesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitEventTimeseriesResponse implements EventTimeseriesResponseObject.
func (a answered) VisitEventTimeseriesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitTopUsersResponse implements TopUsersResponseObject.
func (a answered) VisitTopUsersResponse(w http.ResponseWriter) error { return a.write(w) }
