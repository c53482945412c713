package committer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// store writes members in one transaction.
type store[R any] func(ctx context.Context, members []*member[R]) error

// bisect stores members in one transaction and answers them. lockWait is how long a transaction waits for locked rows.
func bisect[R any](ctx context.Context, lockWait time.Duration, members []*member[R], store store[R]) {
	b := bisection[R]{store: store, lockWait: lockWait}
	b.conclude(ctx, members, store(ctx, members))
}

// bisection is a flush that is stored in parts after it failed as a whole.
type bisection[R any] struct {
	store    store[R]
	lockWait time.Duration
	until    time.Time // when the parts have no more time for locked rows; zero while there are none
}

// conclude answers members, whose transaction ended with err. If the content of one of them failed it, each half is stored on
// its own, and so on, until the member at fault is alone: k of n at fault cost O(k·log n) transactions, and every other
// member is stored. If the store names the rows at fault, the others are stored at once. Any other error but a locked row
// concerns all members, and halves would only meet it again.
func (b *bisection[R]) conclude(ctx context.Context, members []*member[R], err error) {
	if obstacles, blocked := errors.AsType[event.BlockedError](err); blocked {
		if rest := setAside(members, obstacles); len(rest) > 0 {
			b.conclude(ctx, rest, b.store(ctx, rest))
		}
		return
	}
	switch half := len(members) / 2; {
	case half > 0 && errors.Is(err, ErrContent):
		for _, part := range [][]*member[R]{members[:half], members[half:]} {
			b.conclude(ctx, part, b.store(ctx, part))
		}
	case half > 0 && errors.Is(err, ErrLocked):
		if b.until.IsZero() {
			b.until = time.Now().Add(b.lockWait)
		}
		b.storeUnlocked(WithLockWait(ctx, max(b.lockWait/lockWaits, time.Millisecond)), members, err)
	default:
		answer(members, err)
	}
}

const (
	// lockedParts is into how many parts members are split if one has locked rows.
	lockedParts = 16
	// lockWaits is how many transactions of parts may meet locked rows. Three of them isolate a row in the largest flush.
	lockWaits = 200
)

type waitKey struct{}

// WithLockWait returns a context in which transactions wait for locked rows for a shorter time than usual.
func WithLockWait(ctx context.Context, wait time.Duration) context.Context {
	return context.WithValue(ctx, waitKey{}, wait)
}

// LockWait returns how long a transaction may wait for locked rows if that is shorter than usual: the whole flush has waited
// already, so its parts find out which rows are locked.
func LockWait(ctx context.Context) (wait time.Duration, short bool) {
	wait, short = ctx.Value(waitKey{}).(time.Duration)
	return wait, short
}

// storeUnlocked stores the members whose rows are not locked, and answers all. It tries all parts before it splits one further, so
// that most members wait for few others. All parts together wait as long as the whole flush has: whoever is in a part with
// locked rows by then gets cause, as if its own were locked.
func (b *bisection[R]) storeUnlocked(ctx context.Context, members []*member[R], cause error) {
	var locked [][]*member[R]
	for part := range slices.Chunk(members, (len(members)+lockedParts-1)/lockedParts) {
		if time.Now().After(b.until) {
			answer(part, cause)
			continue
		}
		err := b.store(ctx, part)
		if len(part) > 1 && errors.Is(err, ErrLocked) {
			locked = append(locked, part)
			continue
		}
		b.conclude(ctx, part, err)
	}
	for _, part := range locked {
		b.storeUnlocked(ctx, part, cause)
	}
}

// answer tells members that their transaction ended with err.
func answer[R any](members []*member[R], err error) {
	for _, m := range members {
		m.err = err
		close(m.done)
	}
}

// setAside answers the members with obstacles, each with its own, and returns the others.
func setAside[R any](members []*member[R], obstacles event.BlockedError) (others []*member[R]) {
	first := 0 // row of the member
	for _, m := range members {
		own := event.BlockedError{}
		for i := range m.rows {
			if err, blocked := obstacles[first+i]; blocked {
				own[i] = err
			}
		}
		first += m.rows
		if len(own) == 0 {
			others = append(others, m)
			continue
		}
		m.err = own
		close(m.done)
	}
	return others
}
