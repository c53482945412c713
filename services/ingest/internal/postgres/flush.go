package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// flush is what one statement stores: rows in the order of their keys, and a batch for each project of them.
type flush struct {
	rows    []*event.Event
	batches []batch // in the order of the rows; rows of one project are together
	batchOf []int64 // of each row
	guesses []guess
}

// newFlush orders events, and takes ids for their batches. All writers insert in this order, so two that insert the same keys
// cannot deadlock, and index pages are filled one after the other.
func (s *Store) newFlush(ctx context.Context, events []event.Event) (*flush, error) {
	f := &flush{rows: make([]*event.Event, len(events)), batchOf: make([]int64, len(events))}
	for i := range events {
		f.rows[i] = &events[i]
	}
	f.sort()
	for i, e := range f.rows {
		if i == 0 || e.Project != f.rows[i-1].Project {
			id, err := s.ids.take(ctx, s.pool)
			if err != nil {
				return nil, err
			}
			f.batches = append(f.batches, batch{id: id, project: e.Project})
		}
		b := &f.batches[len(f.batches)-1]
		b.include(e.TS, e.Epoch)
		f.batchOf[i] = b.id
	}
	f.guesses = newGuesses(f.rows)
	return f, nil
}

func (f *flush) sort() {
	slices.SortStableFunc(f.rows, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), a.TS.Compare(b.TS), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

// usualRecord is about the size of the record of an event in bytes.
const usualRecord = 16

// encodeFacts sets the facts of the batches to those of all their rows.
func (f *flush) encodeFacts() {
	next := 0
	for i := range f.batches {
		b := &f.batches[i]
		b.facts = facts.AppendHeader(make([]byte, 0, usualRecord*(b.rows+1)), b.first)
		for _, e := range f.rows[next : next+b.rows] {
			b.facts = facts.AppendEvent(b.facts, b.first, factOf(e))
		}
		next += b.rows
	}
}

func factOf(e *event.Event) facts.Event {
	return facts.Event{TS: e.TS, User: e.User, Product: e.Product, Name: e.Name}
}

// days returns the days of the rows, in order.
func (f *flush) days() []projectDay {
	var days []projectDay
	for _, e := range f.rows {
		if d := (projectDay{e.Project, dayOf(e.TS)}); len(days) == 0 || days[len(days)-1] != d {
			days = append(days, d)
		}
	}
	return days
}

// byProject returns the ids of the batches.
func (f *flush) byProject() map[int16]int64 {
	ids := make(map[int16]int64, len(f.batches))
	for _, b := range f.batches {
		ids[b.project] = b.id
	}
	return ids
}

// identity is the key of an event.
type identity struct {
	project int16
	ts      int64 // microseconds, because time.Time values with different locations do not compare equal
	id      uuid.UUID
}

func identityOf(f *event.Fact) identity { return identity{f.Project, f.TS.UnixMicro(), f.ID} }
