package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// newLimits returns the rate limits that openapi.yaml names, and the function that stops their goroutines.
func newLimits(cfg Config, f *frame.Frame) (limits map[string]edge.Limit, stop func()) {
	var limiters []*ratelimit.Limiter
	perMinute := func(name string, limit int) *ratelimit.Limiter {
		limiter := ratelimit.New(f.Redis, ratelimit.Policy{Name: name, Limit: limit, Window: time.Minute}, f.Logger, f.Registerer)
		limiters = append(limiters, limiter)
		return limiter
	}
	// The contract names login-address first, so that a client cannot use up the quotas of other accounts faster than its own.
	limits = map[string]edge.Limit{
		"login-address": edge.ByAddress(perMinute("login-address", cfg.LoginAddressLimit)),
		"login-account": edge.ByMember(perMinute("login-account", cfg.LoginAccountLimit), "email", accountKey),
		"register":      edge.ByAddress(perMinute("register", cfg.RegisterLimit)),
		"refresh":       edge.ByAddress(perMinute("refresh", cfg.RefreshLimit)),
	}
	return limits, func() {
		for _, limiter := range limiters {
			limiter.Close()
		}
	}
}

// accountKey returns the key of an account, existing or not. It is a hash, so that Redis does not store e-mail addresses.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(account.NormalizeEmail(email)))
	return hex.EncodeToString(sum[:16])
}
