package frame

import (
	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// Config is the configuration that every service has. The configuration of a service embeds it and adds its own fields.
type Config struct {
	service.Config
	Postgres  postgres.Config
	Redis     redis.Config
	Admission admission.Config
}
