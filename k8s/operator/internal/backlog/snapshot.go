// Package backlog knows how much work waits in the queues that pools name. It asks Redis at an interval and answers from
// memory, and it never makes up a number: where it has none that is young enough, it says so.
package backlog

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Reading is what one queue held at one moment.
type Reading struct {
	// Backlog is the number of tasks that wait or are being worked on: pending, active and aggregating. Active ones
	// count, or busy workers would be taken away as soon as they have emptied the queue. Tasks that are scheduled or wait
	// to be retried do not: no worker could start them now.
	Backlog int64
	// OldestPending is how long the oldest pending task has waited.
	OldestPending time.Duration
	Retry         int64 // tasks that failed and will be tried again
	Archived      int64 // tasks that failed for good
	// Paused says that workers leave the queue alone until somebody resumes it. Its backlog counts all the same: the
	// workers are there when it is resumed, and a backlog that nobody works off must not look like none.
	Paused bool
	// Time is when Redis was asked.
	Time time.Time
}

// Reasons for having no reading.
var (
	// ErrNotPolled says that the queue has not been read since the process started, or since a pool began to name it.
	ErrNotPolled = errors.New("not read yet")
	// ErrStale says that the last reading is too old to act on, or that there is none because all attempts have failed.
	ErrStale = errors.New("no reading that is young enough")
)

// Snapshot holds the last reading of each queue. It is safe for concurrent use.
type Snapshot struct {
	maxAge time.Duration

	mu       sync.RWMutex
	readings map[string]Reading
}

// NewSnapshot returns an empty snapshot whose readings are good for maxAge.
func NewSnapshot(maxAge time.Duration) *Snapshot {
	return &Snapshot{maxAge: maxAge, readings: map[string]Reading{}}
}

// Get returns the last reading of a queue, or an error that is ErrNotPolled or ErrStale.
func (s *Snapshot) Get(queue string) (Reading, error) {
	s.mu.RLock()
	reading, known := s.readings[queue]
	s.mu.RUnlock()
	if !known {
		return Reading{}, fmt.Errorf("queue %s: %w", queue, ErrNotPolled)
	}
	if reading.Time.IsZero() {
		return Reading{}, fmt.Errorf("queue %s: %w: it could not be read so far", queue, ErrStale)
	}
	if age := time.Since(reading.Time); age > s.maxAge {
		return Reading{}, fmt.Errorf("queue %s: %w: the last was made %s ago", queue, ErrStale, age.Round(time.Second))
	}
	return reading, nil
}

// Put records a reading.
func (s *Snapshot) Put(queue string, reading Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings[queue] = reading
}

// missed records that a queue could not be read. Its last reading stays, if there is one.
func (s *Snapshot) missed(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.readings[queue]; !known {
		s.readings[queue] = Reading{}
	}
}

// keep forgets all queues but these. A queue that is named again later starts anew, with ErrNotPolled.
func (s *Snapshot) keep(queues map[string]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for queue := range s.readings {
		if _, named := queues[queue]; !named {
			delete(s.readings, queue)
		}
	}
}

// all returns the last readings of all queues.
func (s *Snapshot) all() map[string]Reading {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.readings)
}
