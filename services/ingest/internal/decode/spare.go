package decode

import "github.com/hp-analytics/hp-analytics/services/ingest/internal/event"

// maxSpare bounds the problems of a batch beyond the first one of each item.
const maxSpare = 1000

// spare counts the problems of a batch beyond the first one of each item. When there are maxSpare of them, further items
// tell only their first problem. A batch can hold more problems than anybody reads, and each costs time and memory.
type spare struct{ used int }

// give sets how many problems the next item may have.
func (s *spare) give(d *event.FactDraft) {
	d.Bound = uint8(min(event.MaxProblems, 1+max(0, maxSpare-s.used)))
}

// take counts the problems of an item.
func (s *spare) take(d *event.FactDraft) { s.used += max(0, len(d.Problems)-1) }
