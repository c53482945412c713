package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
)

// minInflightBytes is enough for one bulk request in any encoding: its compressed and its decoded body.
const minInflightBytes = 2*api.MaxBulkBytes + 64<<10

// Config is the configuration of the catalog service.
type Config struct {
	frame.Config
	Auth authn.Config

	// CacheTTL is how long Redis keeps a product. A change replaces the entry at once, so this bounds the staleness only if
	// Redis missed the change. It is also how long a product can be read while Postgres is down. The process itself keeps
	// products for productTTL, and drops them when it hears of a change.
	CacheTTL time.Duration `env:"CATALOG_CACHE_TTL, default=10s"`
	// CacheBytes bounds the memory for products and pages of them in the process, half for each.
	CacheBytes int64 `env:"CATALOG_CACHE_BYTES, default=67108864"`
	// MaxInflightBytes bounds the bodies of bulk requests in memory, decoded. Requests beyond the bound are answered with 503. The
	// process needs about three times as much memory, because decoded products and the statement that writes them exist besides
	// the bodies.
	MaxInflightBytes int64 `env:"CATALOG_MAX_INFLIGHT_BYTES, default=36700160"`
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
	if c.MaxInflightBytes < minInflightBytes {
		problems = append(problems, fmt.Errorf("CATALOG_MAX_INFLIGHT_BYTES: must be at least %d, not %d", minInflightBytes, c.MaxInflightBytes))
	}
	return errors.Join(problems...)
}
