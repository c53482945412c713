package postgres

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// maxSeen bounds the memory of firstSeen: about 20 MB.
const maxSeen = 200_000

// lowerFirstSeen is a part of a statement that lowers first_seen of users of the relation seen (project, user_n, ts). It locks them in
// the order of their keys before it changes any, so two of these statements cannot deadlock, whatever their plans are.
const lowerFirstSeen = `
	WITH locked AS MATERIALIZED (
		SELECT u.project, u.n, seen.ts
		FROM seen JOIN ingest.users AS u ON u.project = seen.project AND u.n = seen.user_n
		WHERE u.first_seen IS NULL OR u.first_seen > seen.ts
		ORDER BY u.project, u.n
		FOR NO KEY UPDATE OF u
	)
	UPDATE ingest.users AS u
	SET first_seen = locked.ts
	FROM locked
	WHERE u.project = locked.project AND u.n = locked.n AND (u.first_seen IS NULL OR u.first_seen > locked.ts)`

// firstSeen knows a bound of first_seen of users: their first_seen is not later. So most flushes need not touch any user. It is
// safe for concurrent use.
type firstSeen struct {
	bounds *otter.Cache[userKey, int64] // in microseconds
}

type userKey struct {
	project int16
	user    int64
}

func newFirstSeen() firstSeen {
	return firstSeen{bounds: otter.Must(&otter.Options[userKey, int64]{MaximumSize: maxSeen})}
}

// sighting is the earliest ts of a user in a flush.
type sighting struct {
	userKey

	micros int64
}

// sightings collects those of the rows of a flush.
type sightings map[userKey]int64

func (s sightings) add(project int16, user int64, ts time.Time) {
	key, micros := userKey{project, user}, ts.UnixMicro()
	if before, again := s[key]; !again || micros < before {
		s[key] = micros
	}
}

// earlierOf does the same as earlier for events in the order of their keys. Nearly always there are none, and this costs one
// look-up for each.
func (f *firstSeen) earlierOf(rows []*event.Event) []sighting {
	var all sightings
	for _, e := range rows {
		if bound, known := f.bounds.GetIfPresent(userKey{e.Project, e.User}); known && bound <= e.TS.UnixMicro() {
			continue
		}
		if all == nil {
			all = make(sightings)
		}
		all.add(e.Project, e.User, e.TS)
	}
	return all.sorted()
}

// earlier returns those of all that may lower first_seen, in the order in which statements lock users.
func (f *firstSeen) earlier(all sightings) []sighting {
	maps.DeleteFunc(all, func(key userKey, micros int64) bool {
		bound, known := f.bounds.GetIfPresent(key)
		return known && bound <= micros
	})
	return all.sorted()
}

// sorted returns sightings in the order in which statements lock users.
func (s sightings) sorted() []sighting {
	news := make([]sighting, 0, len(s))
	for key, micros := range s {
		news = append(news, sighting{key, micros})
	}
	slices.SortFunc(news, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.user, b.user))
	})
	return news
}

// committed notes that first_seen of the users is not later than their sightings.
func (f *firstSeen) committed(news []sighting) {
	for _, s := range news {
		f.bounds.Set(s.userKey, s.micros)
	}
}
