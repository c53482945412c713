package event

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Committer makes accepted items durable. When a method returns without an error, its rows are committed. After an
// Unavailable error they may be committed or not; sending the same items again settles it.
type Committer interface {
	// CommitEvents stores any number of events, even none, and a receipt, in a batch that other requests may share. stored
	// tells for each event whether it is new. If some of the events cannot be stored as they are, it stores none and
	// returns a BlockedError.
	CommitEvents(ctx context.Context, events []Event) (batch uuid.UUID, stored []bool, err error)
	// CommitPurchase stores a purchase. If it, or the answer to its key, was stored before, it returns that one with replayed
	// set. It returns ErrProductChanged if the order was made for a former version of the product, and ErrDayDropped.
	CommitPurchase(ctx context.Context, order Order) (stored Purchase, replayed bool, err error)
}

// Answers keeps the answers to requests with an idempotency key.
type Answers interface {
	// Replay returns the purchase that answered key before, if there is one.
	Replay(ctx context.Context, key IdempotencyKey) (p Purchase, found bool, err error)
}

// Recorder accepts and records events and purchases. It is safe for concurrent use.
type Recorder struct {
	rules   Rules
	catalog Catalog
	store   Committer
	answers Answers
}

// NewRecorder returns a recorder.
func NewRecorder(rules Rules, catalog Catalog, store Committer, answers Answers) *Recorder {
	return &Recorder{rules: rules, catalog: catalog, store: store, answers: answers}
}

// Status is the outcome of an event.
type Status int

// The outcomes: refused, new and stored, stored before.
const (
	Rejected Status = iota
	Accepted
	Duplicate
)

// Verdict is the outcome of one event. The problems of a rejected event are in its draft.
type Verdict struct {
	Identity // of the stored event; zero if the event was rejected

	Status Status
}

// Event records one event. A refused one is an Invalid error that lists its problems.
func (r *Recorder) Event(ctx context.Context, caller Caller, draft Draft) (uuid.UUID, Verdict, error) {
	drafts := []Draft{draft}
	events, err := r.examine(ctx, caller, drafts)
	if err != nil {
		return uuid.Nil, Verdict{}, err
	}
	for range maxAttempts {
		if drafts[0].Refused() {
			return uuid.Nil, Verdict{}, Refusal(drafts[0].Problems)
		}
		batch, verdicts, err := r.commit(ctx, drafts, events)
		if again, err := r.reexamine(ctx, drafts, events, err); again {
			continue
		} else if err != nil {
			return uuid.Nil, Verdict{}, err
		}
		return batch, verdicts[0], nil
	}
	return uuid.Nil, Verdict{}, errUnsettled
}

// Events records the valid ones of many events in one transaction. The problems of the others are in their drafts. There is a
// receipt even if nothing was stored.
func (r *Recorder) Events(ctx context.Context, caller Caller, drafts []Draft) (uuid.UUID, []Verdict, error) {
	events, err := r.examine(ctx, caller, drafts)
	if err != nil {
		return uuid.Nil, nil, err
	}
	for range maxAttempts {
		batch, verdicts, err := r.commit(ctx, drafts, events)
		if again, err := r.reexamine(ctx, drafts, events, err); !again {
			return batch, verdicts, err
		}
	}
	return uuid.Nil, nil, errUnsettled
}

// examine checks each draft against the rules and its product. The events of refused drafts must not be used.
func (r *Recorder) examine(ctx context.Context, caller Caller, drafts []Draft) ([]Event, error) {
	now := time.Now()
	events, refs := make([]Event, len(drafts)), make([]Ref, len(drafts))
	for i := range drafts {
		events[i], refs[i] = r.rules.event(&drafts[i], caller, now)
	}
	found, err := r.catalog.Products(ctx, refs)
	if err != nil {
		return nil, err
	}
	for i := range drafts {
		resolve(&drafts[i].FactDraft, &events[i].Fact, refs[i], found[i])
	}
	return events, nil
}

// commit stores the events of the drafts that are not refused. The second event with the same id is a duplicate, whatever its
// other fields. A BlockedError has the indexes of the drafts.
func (r *Recorder) commit(ctx context.Context, drafts []Draft, events []Event) (uuid.UUID, []Verdict, error) {
	verdicts := make([]Verdict, len(drafts))
	good, index := make([]Event, 0, len(drafts)), make([]int, 0, len(drafts))
	var seen map[uuid.UUID]struct{}
	if len(drafts) > 1 {
		seen = make(map[uuid.UUID]struct{}, len(drafts))
	}
	for i := range drafts {
		if drafts[i].Refused() {
			continue
		}
		verdicts[i] = Verdict{Identity: Identity{Owner: events[i].Owner, ID: events[i].ID, TS: events[i].TS}, Status: Duplicate}
		if _, again := seen[events[i].ID]; again {
			continue
		}
		if seen != nil {
			seen[events[i].ID] = struct{}{}
		}
		good, index = append(good, events[i]), append(index, i)
	}
	batch, stored, err := r.store.CommitEvents(ctx, good)
	if obstacles, blocked := errors.AsType[BlockedError](err); blocked {
		return uuid.Nil, nil, obstacles.at(index)
	}
	if err != nil {
		return uuid.Nil, nil, err
	}
	for i, isNew := range stored {
		if isNew {
			verdicts[index[i]].Status = Accepted
		}
	}
	return batch, verdicts, nil
}
