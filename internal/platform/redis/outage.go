package redis

import (
	"sync/atomic"
	"time"
)

// outagePause is how long Redis is left alone after a failure.
const outagePause = time.Second

// Outage remembers that Redis just failed, so that an outage costs callers one timeout per second and not one per
// request. The zero value is ready to use; it is safe for concurrent use.
type Outage struct{ until atomic.Int64 }

// Begin notes a failure: Redis is left alone for a second.
func (o *Outage) Begin() { o.until.Store(time.Now().Add(outagePause).UnixNano()) }

// Ongoing reports whether Redis should not be asked now.
func (o *Outage) Ongoing() bool { return time.Now().UnixNano() < o.until.Load() }
