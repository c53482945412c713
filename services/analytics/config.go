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

	// CacheTTL is how long an answer may live in Redis when nothing says that its numbers have changed: the staleness
	// when an invalidation is lost. In the process answers live for a second at most.
	CacheTTL time.Duration `env:"ANALYTICS_CACHE_TTL, default=10s"`
	// CacheBytes bounds the answers kept in the process.
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
