package analytics

import (
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
)

// Config is the configuration of the analytics service.
type Config struct {
	frame.Config
	Auth authn.Config

	// CacheTTL is how long Redis keeps an answer. A change of its numbers makes it unreachable at once, so this bounds the
	// staleness only if the invalidation is lost. The process itself keeps answers for localTTL.
	CacheTTL time.Duration `env:"ANALYTICS_CACHE_TTL, default=10s"`
	// CacheBytes bounds the memory for answers in the process.
	CacheBytes int64 `env:"ANALYTICS_CACHE_BYTES, default=67108864"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.CacheTTL < time.Second {
		problems = append(problems, fmt.Errorf("ANALYTICS_CACHE_TTL: must be at least 1s, not %s", c.CacheTTL))
	}
	if c.CacheBytes < 1<<20 {
		problems = append(problems, fmt.Errorf("ANALYTICS_CACHE_BYTES: must be at least 1048576 (1 MiB), not %d", c.CacheBytes))
	}
	return errors.Join(problems...)
}
