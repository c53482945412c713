package auth

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
)

// newLimits returns the rate limits that openapi.yaml names, those of attempts, which the handler charges, and the
// function that stops the goroutines of all.
func newLimits(cfg Config, f *frame.Frame) (limits map[string]edge.Limit, attempts api.Attempts, stop func()) {
	var limiters []*ratelimit.Limiter
	per := func(window time.Duration, name string, limit int) *ratelimit.Limiter {
		limiter := ratelimit.New(f.Redis, ratelimit.Policy{Name: name, Limit: limit, Window: window}, f.Logger, f.Registerer)
		limiters = append(limiters, limiter)
		return limiter
	}
	attempts = api.Attempts{
		Network: per(time.Minute, "login-account", cfg.LoginAccountLimit),
		Account: per(time.Hour, "login-account-total", cfg.LoginAccountTotal),
		Refused: per(time.Hour, "register-refused", cfg.RegisterRefusedLimit),
	}
	limits = map[string]edge.Limit{
		"login-address":       edge.ByAddress(per(time.Minute, "login-address", cfg.LoginAddressLimit)),
		"login-account":       edge.ChargedByHandler(),
		"login-account-total": edge.ChargedByHandler(),
		"register":            edge.ByAddress(per(time.Minute, "register", cfg.RegisterLimit)),
		"register-refused":    edge.ChargedByHandler(),
		"share":               edge.ByAddress(per(time.Minute, "share", cfg.ShareLimit)),
		"refresh":             edge.ByAddress(per(time.Minute, "refresh", cfg.RefreshLimit)),
	}
	return limits, attempts, func() {
		for _, limiter := range limiters {
			limiter.Close()
		}
	}
}
