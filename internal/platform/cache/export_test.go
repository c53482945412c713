package cache

import "github.com/prometheus/client_golang/prometheus"

// Listening reports whether the process hears of changes.
func (c *Cache) Listening() bool { return c.bus.listening.Load() }

// Fence returns the count of invalidations of a key.
func (c *Cache) Fence(key Key) uint64 { return c.fence(key).Load() }

// Evict drops what the process holds of a key, as a lack of memory does.
func (c *Cache) Evict(key Key) { c.local.Invalidate(key.Name) }

// Failures counts the commands to Redis that failed.
func (c *Cache) Failures() prometheus.Counter { return c.level.failures }

// Due makes the slot one that the next request should renew.
func (s *Slot) Due() { s.renew.Store(clock()) }
