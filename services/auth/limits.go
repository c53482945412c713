package auth

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
)

// newLimits returns the limits of the operations that need no credentials.
func newLimits(cfg Config, f *frame.Frame) api.Limits {
	perMinute := func(name string, limit int) *ratelimit.Limiter {
		return ratelimit.New(f.Redis, ratelimit.Policy{Name: name, Limit: limit, Window: time.Minute}, f.Logger, f.Registerer)
	}
	return api.Limits{
		LoginAddress: perMinute("login-address", cfg.LoginAddressLimit),
		LoginAccount: perMinute("login-account", cfg.LoginAccountLimit),
		Register:     perMinute("register", cfg.RegisterLimit),
		Refresh:      perMinute("refresh", cfg.RefreshLimit),
	}
}
