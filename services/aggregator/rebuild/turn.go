package rebuild

import "context"

// Turn lets jobs of one process that rebuild take turns: each waits for the others, in the order in which they came, instead of
// failing with ErrRunning. A nil Turn lets all go ahead.
type Turn chan struct{}

// NewTurn returns a turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Do runs work when it is its turn. It returns the error of work, or of ctx if that ends before.
func (t Turn) Do(ctx context.Context, work func() error) error {
	if t == nil {
		return work()
	}
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // nothing was done
	}
	defer func() { <-t }()
	return work()
}
