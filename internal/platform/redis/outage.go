package redis

import (
	"sync/atomic"
	"time"
)

// outagePause is how long no command is sent to Redis after a failure.
const outagePause = time.Second

// Outage is a circuit breaker for Redis. During an outage, callers pay for one timeout per outagePause and not for one per
// request. The zero value is ready to use; it is safe for concurrent use.
type Outage struct{ until atomic.Pointer[time.Time] }

// Begin records a failure and opens the breaker for outagePause.
func (o *Outage) Begin() { o.until.Store(new(time.Now().Add(outagePause))) }

// Ongoing reports whether callers should skip Redis for now. It compares monotonic readings, so a step of the clock neither
// prolongs nor hides an outage.
func (o *Outage) Ongoing() bool {
	until := o.until.Load()
	return until != nil && time.Now().Before(*until)
}
