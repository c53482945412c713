package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
)

// Config is the configuration of the catalog service.
type Config struct {
	frame.Config
	Auth authn.Config

	// CacheTTL is how long Redis keeps a product. A change replaces the entry at once, so this bounds the staleness only if
	// Redis missed the change. It is also how long a product can be read while Postgres is down. The process itself keeps
	// products for localTTL.
	CacheTTL time.Duration `env:"CATALOG_CACHE_TTL, default=10s"`
	// CacheBytes bounds the memory for products in the process.
	CacheBytes int64 `env:"CATALOG_CACHE_BYTES, default=67108864"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.CacheTTL < time.Second {
		problems = append(problems, fmt.Errorf("CATALOG_CACHE_TTL: must be at least 1s, not %s", c.CacheTTL))
	}
	if c.CacheBytes < 1<<20 {
		problems = append(problems, fmt.Errorf("CATALOG_CACHE_BYTES: must be at least 1048576 (1 MiB), not %d", c.CacheBytes))
	}
	return errors.Join(problems...)
}
