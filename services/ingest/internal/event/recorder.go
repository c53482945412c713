package event

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Committer makes accepted items durable. When a method returns without an error, its rows are committed. After an
// Unavailable error they may be committed or not; sending the same items again settles it.
type Committer interface {
	// CommitEvents stores one event or more of a project in a batch that other requests of the project may share, and returns
	// what became of each. If some of the events cannot be stored as they are, it stores none and returns a BlockedError.
	CommitEvents(ctx context.Context, events []Event) (batch int64, statuses []Status, err error)
}

// Deps are what a recorder works with.
type Deps struct {
	Catalog    Catalog
	Dictionary Dictionary
	Times      Times
	Days       Days
	Committer  Committer
}

// Recorder accepts and records events. It is safe for concurrent use.
type Recorder struct {
	rules      Rules
	catalog    Catalog
	dictionary Dictionary
	times      Times
	days       Days
	store      Committer
}

// NewRecorder returns a recorder.
func NewRecorder(rules Rules, deps Deps) *Recorder {
	return &Recorder{
		rules: rules, catalog: deps.Catalog, dictionary: deps.Dictionary, times: deps.Times, days: deps.Days, store: deps.Committer,
	}
}

// Status is the outcome of an event.
type Status uint8

// The outcomes: refused; new and stored; stored before; not stored, because another event has its identity.
const (
	Rejected Status = iota
	Accepted
	Duplicate
	Conflicting
)

// Verdict is the outcome of one event. The problems of a rejected or conflicting event are in its draft.
type Verdict struct {
	Identity // of the stored event; zero if the event was rejected

	Status Status
}

// Event records one event. A refused one is an Invalid error that lists its problems.
func (r *Recorder) Event(ctx context.Context, caller Caller, draft *Draft) (batch int64, _ Verdict, _ error) {
	drafts := []Draft{*draft}
	batch, verdicts, err := r.Events(ctx, caller, drafts)
	*draft = drafts[0]
	switch {
	case err != nil:
		return 0, Verdict{}, err
	case verdicts[0].Status == Conflicting:
		return 0, Verdict{}, ErrConflict
	case verdicts[0].Status == Rejected:
		return 0, Verdict{}, Refusal(draft.Problems)
	}
	return batch, verdicts[0], nil
}

// Events records the valid ones of many events in one transaction. The problems of the others are in their drafts. batch is 0 if
// all were rejected.
func (r *Recorder) Events(ctx context.Context, caller Caller, drafts []Draft) (batch int64, verdicts []Verdict, err error) {
	events, err := r.examine(ctx, caller, drafts)
	if err == nil {
		err = r.prepare(ctx, caller, drafts, events)
	}
	if err != nil {
		return 0, nil, err
	}
	for range maxAttempts {
		batch, verdicts, err := r.commit(ctx, drafts, events)
		if again, err := r.reexamine(ctx, caller, drafts, events, err); !again {
			return batch, verdicts, err
		}
	}
	return 0, nil, errUnsettled
}

// examine checks each draft against the rules and its product, and finds out the numbers of what it names. The events of refused
// drafts must not be used.
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
	if err := r.resolve(ctx, caller, drafts, events, refs, found); err != nil {
		return nil, err
	}
	if err := r.number(ctx, caller, drafts, events); err != nil {
		return nil, err
	}
	return events, r.settleTimes(ctx, drafts, events, now)
}

// number fills in the numbers of names and users.
func (r *Recorder) number(ctx context.Context, caller Caller, drafts []Draft, events []Event) error {
	names := make([]string, len(events))
	for i := range events {
		if !drafts[i].Refused() {
			names[i] = events[i].Type
		}
	}
	numbers, err := r.dictionary.Names(ctx, caller.Project.ID, caller.Sender, names)
	if err != nil {
		return err
	}
	refs := make([]UserRef, len(events))
	for i := range events {
		if drafts[i].Refused() {
			continue
		}
		if !drafts[i].name(&events[i], numbers[i]) {
			continue
		}
		refs[i] = events[i].user()
	}
	users, err := r.dictionary.Users(ctx, caller.Project.ID, refs)
	if err != nil {
		return err
	}
	for i, u := range users {
		events[i].User, events[i].Anonymous, events[i].Epoch = u.N, u.Anonymous, u.Epoch
	}
	return nil
}

// name sets the name of the event of a draft, or refuses the draft if it gets none.
func (d *Draft) name(e *Event, number int16) bool {
	switch number {
	case ProjectFull:
		d.Refuse("/type", CodeTooManyTypes, "The project has 10000 types of events, and this would be another one. Put what varies, such as an id, into properties.")
	case SenderFull:
		d.Refuse("/type", CodeTooManyNewTypes, "This key or account has added 5000 types of events to the project, and this would be another one. Put what varies, such as an id, into properties.")
	default:
		e.Name, d.NearlyFull = number, nearlyFull(number)
		return true
	}
	return false
}

// commit stores the events of the drafts that are not refused. A BlockedError has the indexes of the drafts.
func (r *Recorder) commit(ctx context.Context, drafts []Draft, events []Event) (batch int64, _ []Verdict, _ error) {
	verdicts := make([]Verdict, len(drafts))
	first := repetitions(drafts, events)
	good, index := make([]Event, 0, len(drafts)), make([]int, 0, len(drafts))
	for i := range drafts {
		if drafts[i].Refused() {
			continue
		}
		verdicts[i] = Verdict{Identity: Identity{Project: events[i].Project, ID: events[i].ID, TS: events[i].TS}, Status: Duplicate}
		if _, again := first[i]; !again {
			good, index = append(good, events[i]), append(index, i)
		}
	}
	if len(good) == 0 {
		return 0, verdicts, nil
	}
	batch, statuses, err := r.store.CommitEvents(ctx, good)
	if obstacles, blocked := errors.AsType[BlockedError](err); blocked {
		return 0, nil, obstacles.at(index)
	}
	if err != nil {
		return 0, nil, err
	}
	for n, i := range index {
		verdicts[i].Status = statuses[n]
	}
	for i, original := range first {
		if verdicts[original].Status == Conflicting {
			verdicts[i].Status = Conflicting
		}
	}
	for i := range verdicts {
		if verdicts[i].Status == Conflicting {
			drafts[i].Refuse("/id", CodeConflict, ErrConflict.Detail)
		}
	}
	return batch, verdicts, nil
}

// repetitions returns the events of a request that repeat an earlier one of it, byte for byte, each with the earlier one. The
// store distinguishes the others that have the same identity.
func repetitions(drafts []Draft, events []Event) map[int]int {
	if len(drafts) == 1 {
		return nil
	}
	var repeated map[int]int
	seen := make(map[Identity]int, len(drafts))
	for i := range drafts {
		if drafts[i].Refused() {
			continue
		}
		a := &events[i]
		key := Identity{Project: a.Project, ID: a.ID, TS: a.TS}
		original, again := seen[key]
		if !again {
			seen[key] = i
			continue
		}
		b := &events[original]
		if a.Name == b.Name && a.Product == b.Product && a.User == b.User && bytes.Equal(drafts[i].Properties, drafts[original].Properties) {
			if repeated == nil {
				repeated = map[int]int{}
			}
			repeated[i] = original
		}
	}
	return repeated
}
