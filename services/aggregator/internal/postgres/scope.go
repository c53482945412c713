package postgres

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Scope is a part of a project's rollups that is counted again: whole days, and whole hours of the clocks.
type Scope struct {
	Project            Project
	First, Last        localtime.Day // inclusive
	FirstHour, EndHour time.Time     // the first hour and the one after the last, as localtime.History.Hour returns them
	from, to           time.Time     // of the raw rows of these days and hours; there may be others in between
	lastHour           time.Time
}

// ScopeOf returns the scope of some days.
func ScopeOf(p Project, first, last localtime.Day) Scope {
	s := Scope{Project: p, First: first, Last: last}
	from, to, ok := p.Zones.Bounds(first, last)
	if !ok { // the clocks never show these days
		from = p.Zones.Start(first)
		s.from, s.to, s.FirstHour, s.EndHour = from, from, from, from
		return s
	}
	s.span(p.Zones, from, to)
	s.close(to)
	return s
}

// span widens the scope by the hours, in a history, of a range of instants. The hours of instants are not always in the order of the
// instants: where clocks go back by half an hour, an hour begins within another.
func (s *Scope) span(h localtime.History, from, to time.Time) {
	for at := from; at.Before(to); {
		part := h.Segment(at)
		end := part.To
		if to.Before(end) {
			end = to
		}
		first, last := h.Hour(at), h.Hour(end.Add(-time.Microsecond))
		if s.FirstHour.IsZero() || first.Before(s.FirstHour) {
			s.FirstHour = first
		}
		if last.After(s.lastHour) {
			s.lastHour = last
		}
		at = part.To
	}
}

// close ends the hours before an instant, which is after them, and finds the raw rows of the days and hours.
func (s *Scope) close(end time.Time) {
	s.EndHour = s.lastHour.Add(time.Microsecond)
	if next := s.Project.Zones.Hour(end); next.After(s.EndHour) {
		s.EndHour = next
	}
	s.from, s.to = s.FirstHour, s.lastHour.Add(time.Hour)
	if from, to, ok := s.Project.Zones.Bounds(s.First, s.Last); ok {
		if from.Before(s.from) {
			s.from = from
		}
		if to.After(s.to) {
			s.to = to
		}
	}
}

// ScopeOfChange returns the scope of what changes when the history of a project becomes another one, which differs from it from one
// instant up to, but not including, another. The scope is that of the project with its new history.
func ScopeOfChange(p Project, to localtime.History, from, until time.Time) Scope {
	before := p.Zones
	p.Zones = to
	s := Scope{Project: p}
	s.First, s.Last = to.Day(from), to.Day(from)
	for _, h := range []localtime.History{before, to} {
		s.span(h, from, until)
		for at := from; at.Before(until); {
			part := h.Segment(at)
			end := part.To
			if until.Before(end) {
				end = until
			}
			s.First = min(s.First, h.Day(at))
			s.Last = max(s.Last, h.Day(end.Add(-time.Microsecond)))
			at = part.To
		}
	}
	s.close(until)
	return s
}
