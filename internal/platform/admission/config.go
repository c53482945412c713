package admission

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"time"
)

const (
	// slotsPerProcessor is high enough for requests that wait for a group commit or for Postgres, and low enough that all of them
	// together are answered soon.
	slotsPerProcessor = 64
	// queuedPerSlot bounds the requests that wait, which take the memory of a connection and a goroutine each.
	queuedPerSlot = 4
	// queueTime and queueBurst are those of the defaults.
	queueTime, queueBurst = 10 * time.Millisecond, 100 * time.Millisecond
)

// Config says how many requests a service works on. The operational endpoints and answers from memory take no part in it.
type Config struct {
	// MaxConcurrent bounds the requests that a service works on at the same time. One caller gets at most three quarters. 0 is 64 for
	// each processor, -1 no limit. If it is too small, requests wait while processors are idle; if it is too large, an overload
	// makes all requests slow before the first one is refused.
	MaxConcurrent int `env:"HTTP_MAX_CONCURRENT_REQUESTS, default=0"`
	// MaxQueued is how many requests wait, in equal parts for all callers; further ones are refused with 503 at once. Callers that
	// come later get their part beside what the earlier ones have, so up to twice as many wait for a moment. In an overload, fewer wait:
	// as many as lately got a slot within QueueTime. 0 is four times MaxConcurrent.
	MaxQueued int `env:"HTTP_MAX_QUEUED_REQUESTS, default=0"`
	// QueueTime is the longest wait while the queue is never empty, which is an overload. It adds to the latency of everything that
	// is answered then.
	QueueTime time.Duration `env:"HTTP_QUEUE_TIME, default=10ms"`
	// QueueBurst is the longest wait in a burst, and how long one may last: the queue was empty within this time.
	QueueBurst time.Duration `env:"HTTP_QUEUE_BURST, default=100ms"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.MaxConcurrent < -1 {
		problems = append(problems, fmt.Errorf("HTTP_MAX_CONCURRENT_REQUESTS: must be -1 (no limit), 0 (64 for each processor) or more, not %d", c.MaxConcurrent))
	}
	if c.MaxQueued < 0 {
		problems = append(problems, fmt.Errorf("HTTP_MAX_QUEUED_REQUESTS: must be 0 (four times HTTP_MAX_CONCURRENT_REQUESTS) or more, not %d", c.MaxQueued))
	}
	if c.QueueTime <= 0 {
		problems = append(problems, fmt.Errorf("HTTP_QUEUE_TIME: must be positive, not %s", c.QueueTime))
	}
	if c.QueueBurst < c.QueueTime {
		problems = append(problems, fmt.Errorf("HTTP_QUEUE_BURST: must be at least HTTP_QUEUE_TIME, %s, not %s", c.QueueTime, c.QueueBurst))
	}
	return errors.Join(problems...)
}

// withDefaults returns the configuration with numbers in place of zeros.
func (c Config) withDefaults() Config {
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = slotsPerProcessor * runtime.GOMAXPROCS(0)
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = queuedPerSlot * c.MaxConcurrent
	}
	c.QueueTime, c.QueueBurst = cmp.Or(c.QueueTime, queueTime), cmp.Or(c.QueueBurst, queueBurst)
	return c
}
