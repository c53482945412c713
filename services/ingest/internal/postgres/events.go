package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// StoreEvents implements committer.Store. Nearly always all events are new, and an insert without a conflict check costs a
// fifth less. So that one is tried first, and the one with the check after a conflict.
func (s *Store) StoreEvents(ctx context.Context, events []event.Event) (committer.Stored, error) {
	defer s.observe(protocol.KindEvents, len(events), time.Now())
	if known := s.dropped.known(); known != nil {
		if blocked := known.blocked(events); blocked != nil {
			return committer.Stored{}, blocked
		}
	}
	stored, err := s.storeEvents(ctx, events)
	if closed, ok := errors.AsType[closedDaysError](err); ok {
		return committer.Stored{}, closed.blocked(events)
	}
	if _, blocked := errors.AsType[event.BlockedError](err); blocked {
		return committer.Stored{}, err
	}
	if err != nil {
		return committer.Stored{}, classify(fmt.Errorf("store %d events: %w", len(events), err))
	}
	return stored, nil
}

func (s *Store) storeEvents(ctx context.Context, events []event.Event) (committer.Stored, error) {
	f, err := s.newFlush(ctx, events)
	if err != nil {
		return committer.Stored{}, err
	}
	if s.events.assumeNew() {
		err := s.storeNewEvents(ctx, f)
		if err == nil {
			return committer.Stored{Batches: f.byProject(), Statuses: slices.Repeat([]event.Status{event.Accepted}, len(events))}, nil
		}
		switch {
		case keyTaken(err), errors.Is(err, errNotStored):
			s.events.conflicted()
		default:
			return committer.Stored{}, err
		}
	}
	return s.storeCheckedEvents(ctx, f, events)
}

// settled runs write, which is one transaction, again after a deadlock, and makes missing partitions.
func (s *Store) settled(ctx context.Context, f *flush, write func() error) error {
	return repeated(func() error { return s.withPartitions(ctx, f, write) })
}

// keyTaken reports whether err says that a row with the same key exists.
func keyTaken(err error) bool {
	_, ok := postgres.IsCode(err, postgres.UniqueViolation)
	return ok
}
