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
	// CostLimit is the quota of a caller for answers that are not in the cache, per minute; 0 is no limit. A series or summary
	// costs 1 for each of its days, or 24 by the hour, an overview twice that, a ranking 10, a ranking of users or by unique users
	// 50, and each twenty times as much for guests.
	CostLimit int `env:"ANALYTICS_COST_LIMIT, default=600000"`
	// ProjectCostLimit is the same for all members and keys of a project together, once more for all its guests together, and for the readers of its share links; 0 is no
	// limit. If it is not larger than CostLimit, one key can use up what all of its project may spend.
	ProjectCostLimit int `env:"ANALYTICS_PROJECT_COST_LIMIT, default=3000000"`
	// SharedLimit is how many requests per minute may be made with one share link, by all who have it together; 0 is no limit. A page
	// that shows the report makes four a minute. Beyond it, readers of the link see their numbers age.
	SharedLimit int `env:"ANALYTICS_SHARED_LIMIT, default=1200"`
	// LiveReaders is how many readers of live events a process serves; further ones get 503. Each of their projects takes about a
	// megabyte.
	LiveReaders int `env:"ANALYTICS_LIVE_READERS, default=200"`
	// LiveProjectReaders is the same for the readers of one project.
	LiveProjectReaders int `env:"ANALYTICS_LIVE_PROJECT_READERS, default=50"`
	// OpenToUsers lets guests of the default project read rankings and series of products, without purchases, units and revenue.
	// Without it, they read only their own summary.
	OpenToUsers bool `env:"ANALYTICS_OPEN_TO_USERS, default=true"`
	// ExportYesterday shows the totals of the last whole day of each project at /metrics, of the hundred oldest ones. Whoever scrapes the
	// service sees the numbers of all of them.
	ExportYesterday bool `env:"ANALYTICS_EXPORT_YESTERDAY, default=false"`
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
	if c.CostLimit < 0 {
		problems = append(problems, fmt.Errorf("ANALYTICS_COST_LIMIT: must not be negative, not %d", c.CostLimit))
	}
	if c.ProjectCostLimit < 0 {
		problems = append(problems, fmt.Errorf("ANALYTICS_PROJECT_COST_LIMIT: must not be negative, not %d", c.ProjectCostLimit))
	}
	if c.SharedLimit < 0 {
		problems = append(problems, fmt.Errorf("ANALYTICS_SHARED_LIMIT: must not be negative, not %d", c.SharedLimit))
	}
	if c.LiveReaders < 1 {
		problems = append(problems, fmt.Errorf("ANALYTICS_LIVE_READERS: must be positive, not %d", c.LiveReaders))
	}
	if c.LiveProjectReaders < 1 {
		problems = append(problems, fmt.Errorf("ANALYTICS_LIVE_PROJECT_READERS: must be positive, not %d", c.LiveProjectReaders))
	}
	return errors.Join(problems...)
}
