package postgres

import "sync/atomic"

// checkedFlushes is how many flushes are inserted with a conflict check after a conflict.
const checkedFlushes = 16

// optimism decides whether a flush is inserted without a conflict check. That insert is cheaper, but a conflict or an event that was
// moved fails it, and the flush is written a second time. Clients that repeat one item usually repeat more, so after a conflict
// the next flushes are checked.
type optimism struct{ toCheck atomic.Int32 }

// assumeNew reports whether to insert the next flush without a conflict check.
func (o *optimism) assumeNew() bool {
	for {
		n := o.toCheck.Load()
		if n == 0 {
			return true
		}
		if o.toCheck.CompareAndSwap(n, n-1) {
			return false
		}
	}
}

// conflicted notes that an insert without a check met a conflict.
func (o *optimism) conflicted() { o.toCheck.Store(checkedFlushes) }
