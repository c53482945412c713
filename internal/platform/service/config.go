package service

import (
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/profiler"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// Config is the configuration that every process has. The configuration of a service embeds it.
type Config struct {
	HTTP     httpserver.Config
	Log      telemetry.LogConfig
	Profiler profiler.Config
	// DrainDelay is how long a stopping process keeps serving while /ready already answers 503. It must be longer than
	// load balancers need to notice, or they send requests to a closed port.
	DrainDelay time.Duration `env:"SHUTDOWN_DRAIN_DELAY, default=5s"`
	// Baseline turns off the caches of products and answers, in the process and in Redis, so that `make bench` can measure what
	// they are worth. It is for measurements only: in production every read would cost queries. The chart refuses it.
	Baseline bool `env:"PERFORMANCE_BASELINE, default=false"`
}

// Base returns the shared part of a service's configuration.
func (c Config) Base() Config { return c }

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.DrainDelay < 0 {
		return fmt.Errorf("SHUTDOWN_DRAIN_DELAY: must not be negative, not %s", c.DrainDelay)
	}
	return nil
}
