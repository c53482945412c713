// Package backlog measures how much work waits in the queues of pools. It polls Redis and answers from memory. It never makes up
// a number: without a recent reading, it returns an error.
package backlog

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Reading is the state of one queue at one time.
type Reading struct {
	// Backlog is the number of pending, active and aggregating tasks. Active tasks count, because otherwise busy workers would
	// be removed as soon as the queue is empty. Scheduled tasks and tasks waiting for a retry do not count, because no worker
	// could start them now.
	Backlog int64
	// OldestPending is how long the oldest pending task has waited.
	OldestPending time.Duration
	Retry         int64 // tasks that failed and will be tried again
	Archived      int64 // tasks that failed for good
	// Paused means that workers do not process the queue until it is resumed. Its backlog still counts, so that the workers are
	// there when it is resumed, and a backlog that is not processed does not look empty.
	Paused bool
	// Time is when Redis was asked.
	Time time.Time
}

// Reasons for having no reading.
var (
	// ErrNotPolled means that the queue has not been read since the process started or since a pool added it.
	ErrNotPolled = errors.New("not read yet")
	// ErrStale means that the last reading is too old, or that all attempts to read have failed.
	ErrStale = errors.New("no recent reading")
)

// Snapshot holds the last reading of each queue. It is safe for concurrent use.
type Snapshot struct {
	maxAge time.Duration

	mu       sync.RWMutex
	readings map[string]Reading
}

// NewSnapshot returns an empty snapshot whose readings are valid for maxAge.
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
		return Reading{}, fmt.Errorf("queue %s: %w: no attempt to read it succeeded", queue, ErrStale)
	}
	if age := time.Since(reading.Time); age > s.maxAge {
		return Reading{}, fmt.Errorf("queue %s: %w: the last reading is %s old", queue, ErrStale, age.Round(time.Second))
	}
	return reading, nil
}

// Put records a reading.
func (s *Snapshot) Put(queue string, reading Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings[queue] = reading
}

// missed records that a queue could not be read. It keeps the last reading, if there is one.
func (s *Snapshot) missed(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.readings[queue]; !known {
		s.readings[queue] = Reading{}
	}
}

// keep removes all queues except these. A queue that is added again later starts with ErrNotPolled.
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
