package event

import (
	"context"
	"errors"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// ErrProductChanged says that the product of an event is not what the event was examined with: it has another SKU. The event can be
// examined and stored again.
var ErrProductChanged = errors.New("the product has changed since it was looked up")

// ErrDayDropped says that the raw rows of an item's day were dropped. Without them a retry cannot be told from a new item, so
// the day takes no items any more.
var ErrDayDropped = errors.New("the raw rows of the day were dropped")

// ErrTooManyWeeks says that an item needs the partition of a week, and its project has MaxOpenWeeks.
var ErrTooManyWeeks = errors.New("the project has too many weeks of history")

// ExpiredError says that users of the project were erased since the user of an event was looked up. The event can be examined and
// stored again.
type ExpiredError struct{ Epoch int64 } // of the project now

// Error implements error.
func (e ExpiredError) Error() string {
	return fmt.Sprintf("users were erased since the user was looked up; the epoch is %d", e.Epoch)
}

// BlockedError says for events of a request, by index, why they could not be stored as they are. No event of the request is
// stored.
type BlockedError map[int]error

// Error implements error.
func (o BlockedError) Error() string {
	for i, err := range o {
		return fmt.Sprintf("%d events cannot be stored as they are; event %d: %v", len(o), i, err)
	}
	return "no event is in the way"
}

// at returns the same reasons with the index that each has in another list.
func (o BlockedError) at(index []int) BlockedError {
	moved := make(BlockedError, len(o))
	for i, err := range o {
		moved[index[i]] = err
	}
	return moved
}

// refuseDay refuses an item because its day takes none: ErrDayDropped or ErrTooManyWeeks. It reports false for other reasons.
func (d *FactDraft) refuseDay(reason error) bool {
	switch {
	case errors.Is(reason, ErrDayDropped):
		d.refuseTooOld("is of a day whose events are no longer kept")
	case errors.Is(reason, ErrTooManyWeeks):
		pointer, _ := d.sourceOfTime()
		d.Refuse(pointer, CodeTooManyWeeks, fmt.Sprintf("The project has opened %d weeks of history for its events, and this would be another one. "+
			"Import fewer years, or wait until retention has dropped the oldest ones.", MaxOpenWeeks))
	default:
		return false
	}
	return true
}

// maxAttempts bounds how often an item is examined and stored. A further attempt is needed only if its product changes again,
// or users of the project are erased again, within the milliseconds since the last one.
const maxAttempts = 4

// errUnsettled is the answer after maxAttempts.
var errUnsettled = errs.New(errs.Unavailable, "overloaded", "A product of the request changes all the time, or users are being erased all the time. Try again shortly.")

// reexamine examines the events again that a commit could not store, with their products and users as they are now. Events of days
// that take none are refused. again is false if err is no such error; then it is returned as it is.
func (r *Recorder) reexamine(ctx context.Context, caller Caller, drafts []Draft, events []Event, err error) (again bool, _ error) {
	obstacles, blocked := errors.AsType[BlockedError](err)
	if !blocked {
		return false, err
	}
	refs, index := make([]Ref, 0, len(obstacles)), make([]int, 0, len(obstacles))
	var expired *ExpiredError
	for i, reason := range obstacles {
		if drafts[i].refuseDay(reason) {
			continue
		}
		if clamped, ok := errors.AsType[ClampedError](reason); ok {
			events[i].clampTo(clamped.TS)
			drafts[i].Clamped = true
			continue
		}
		if e, ok := errors.AsType[ExpiredError](reason); ok {
			expired = &e
			continue
		}
		refs, index = append(refs, events[i].ref()), append(index, i)
	}
	if expired != nil {
		r.dictionary.Expire(caller.Project.ID, expired.Epoch)
		if err := r.number(ctx, caller, drafts, events); err != nil {
			return false, err
		}
	}
	if len(refs) == 0 {
		return true, nil
	}
	found, err := r.catalog.Reload(ctx, refs)
	if err != nil {
		return false, err
	}
	for n, i := range index {
		resolve(&drafts[i].FactDraft, &events[i].Fact, refs[n], found[n])
	}
	return true, nil
}
