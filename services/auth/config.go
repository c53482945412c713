package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
)

// maxAuditRetention bounds AUDIT_RETENTION_DAYS: 100 years, which is for ever.
const maxAuditRetention = 36_500

// Config is the configuration of the auth service.
type Config struct {
	frame.Config

	// Registration says who may register: open (everybody), invite (who has an invitation of an admin) or closed (nobody). With
	// open, every stranger who reaches the service gets the rights of the role user.
	Registration api.Registration `env:"REGISTRATION, default=invite"`

	// AccessTTL is how long an access token is valid. Access tokens cannot be revoked, so a stolen token, or a role that was
	// taken away, still works for that long. At most a day.
	AccessTTL time.Duration `env:"ACCESS_TOKEN_TTL, default=15m"`
	// RefreshTTL is how long a refresh token is valid. A user who does not refresh for that long must log in again.
	RefreshTTL time.Duration `env:"REFRESH_TOKEN_TTL, default=720h"`
	// SessionMaxAge is how long a login lasts at most, however often it is refreshed. Then the user must log in again.
	SessionMaxAge time.Duration `env:"SESSION_MAX_AGE, default=2160h"`
	// RefreshGrace is how long after its use a refresh token is answered again, with the same successor, if that was not
	// used. It spares the login of a client that did not get the answer, or that refreshes in two tabs at once. A thief who
	// is faster than the owner stays undetected within this time. 0 turns it off; at most 5m.
	RefreshGrace time.Duration `env:"REFRESH_TOKEN_GRACE, default=30s"`
	// SigningKeyMaxAge is the age at which a signing key is replaced. Tokens that it signed stay valid until they expire.
	SigningKeyMaxAge time.Duration `env:"SIGNING_KEY_MAX_AGE, default=720h"`
	// AuditRetention is how long the audit log is kept, in days. Older rows are deleted within an hour, and with them the record of
	// who has done what. At least 30.
	AuditRetention int `env:"AUDIT_RETENTION_DAYS, default=400"`

	// LoginAccountLimit is how many wrong passwords per minute one client address may try for one account or share link (an IPv6 /64 counts
	// as one address). Beyond it, that address is refused even with the right password; others are not.
	LoginAccountLimit int `env:"LOGIN_LIMIT_ACCOUNT, default=10"`
	// LoginAccountTotal is how many wrong passwords per hour all addresses together may try for one account or share link. Beyond it, the
	// owner is refused, too, so a low value lets strangers lock people out.
	LoginAccountTotal int `env:"LOGIN_LIMIT_ACCOUNT_TOTAL, default=100"`
	// LoginAddressLimit is how many login attempts per minute one client address may make (an IPv6 /64 counts as one).
	LoginAddressLimit int `env:"LOGIN_LIMIT_ADDRESS, default=60"`
	// RegisterLimit is how many accounts per minute one client address may create.
	RegisterLimit int `env:"REGISTER_LIMIT_ADDRESS, default=30"`
	// RegisterRefusedLimit is how many registrations per hour from one client address may be refused because the e-mail address
	// has an account, or the invitation is invalid. The first tells who has an account, so a high value lets strangers look it up.
	RegisterRefusedLimit int `env:"REGISTER_LIMIT_REFUSED, default=20"`
	// RefreshLimit is how many refreshes per minute one client address may make. All users of an office share an address.
	RefreshLimit int `env:"REFRESH_LIMIT_ADDRESS, default=300"`
	// ShareLimit is how many share links per minute one client address may open. Each page that shows a shared report opens its link once.
	ShareLimit int `env:"SHARE_LIMIT_ADDRESS, default=300"`
	// DigestTestLimit is how many tests of digests and alerts together a project may send within an hour. Each is an e-mail or a request to an
	// address that a member chooses.
	DigestTestLimit int `env:"DIGEST_TEST_LIMIT, default=20"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Registration != api.RegistrationOpen && c.Registration != api.RegistrationInvite && c.Registration != api.RegistrationClosed {
		bad("REGISTRATION: must be open, invite or closed, not %q", c.Registration)
	}
	if c.AccessTTL < time.Second || c.AccessTTL > 24*time.Hour {
		bad("ACCESS_TOKEN_TTL: must be between 1s and 24h, not %s", c.AccessTTL)
	}
	if c.RefreshTTL < c.AccessTTL {
		bad("REFRESH_TOKEN_TTL: must not be shorter than ACCESS_TOKEN_TTL, but is %s", c.RefreshTTL)
	}
	if c.SessionMaxAge < c.RefreshTTL {
		bad("SESSION_MAX_AGE: must not be shorter than REFRESH_TOKEN_TTL, but is %s", c.SessionMaxAge)
	}
	if c.RefreshGrace < 0 || c.RefreshGrace > 5*time.Minute {
		bad("REFRESH_TOKEN_GRACE: must be between 0s and 5m, not %s", c.RefreshGrace)
	}
	if c.SigningKeyMaxAge < time.Hour {
		bad("SIGNING_KEY_MAX_AGE: must be at least 1h, not %s", c.SigningKeyMaxAge)
	}
	if c.AuditRetention < 30 || c.AuditRetention > maxAuditRetention {
		bad("AUDIT_RETENTION_DAYS: must be between 30 and %d, not %d", maxAuditRetention, c.AuditRetention)
	}
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"LOGIN_LIMIT_ACCOUNT", c.LoginAccountLimit},
		{"LOGIN_LIMIT_ACCOUNT_TOTAL", c.LoginAccountTotal},
		{"LOGIN_LIMIT_ADDRESS", c.LoginAddressLimit},
		{"REGISTER_LIMIT_ADDRESS", c.RegisterLimit},
		{"REGISTER_LIMIT_REFUSED", c.RegisterRefusedLimit},
		{"REFRESH_LIMIT_ADDRESS", c.RefreshLimit},
		{"SHARE_LIMIT_ADDRESS", c.ShareLimit},
		{"DIGEST_TEST_LIMIT", c.DigestTestLimit},
	} {
		if limit.value < 1 {
			bad("%s: must be at least 1, not %d", limit.name, limit.value)
		}
	}
	return errors.Join(problems...)
}
