package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// Limits bound the operations that need no credentials, before their expensive part.
type Limits struct {
	LoginAddress *ratelimit.Limiter
	LoginAccount *ratelimit.Limiter
	Register     *ratelimit.Limiter
	Refresh      *ratelimit.Limiter
}

// Close stops the goroutines of the limiters.
func (l Limits) Close() {
	for _, limiter := range []*ratelimit.Limiter{l.LoginAddress, l.LoginAccount, l.Register, l.Refresh} {
		limiter.Close()
	}
}

// Middleware applies the limits.
func (l Limits) Middleware(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		if err := l.allow(ctx, w.Header(), request); err != nil {
			return nil, err
		}
		return next(ctx, w, r, request)
	}
}

func (l Limits) allow(ctx context.Context, header http.Header, request any) error {
	client := network(httpserver.ClientAddress(ctx))
	switch request := request.(type) {
	case LoginRequestObject:
		// By address first, so that a client cannot use up the quotas of other accounts faster than its own.
		if err := l.LoginAddress.Allow(ctx, header, client, 1); err != nil {
			return err
		}
		return l.LoginAccount.Allow(ctx, header, accountKey(request.Body.Email), 1)
	case RegisterRequestObject:
		return l.Register.Allow(ctx, header, client, 1)
	case RefreshRequestObject:
		return l.Refresh.Allow(ctx, header, client, 1)
	}
	return nil
}

// network returns the part of an address that identifies one client: the whole IPv4 address, or the /64 prefix of an IPv6
// address, which is what a provider assigns to one customer.
func network(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	prefix, _ := addr.WithZone("").Prefix(64) // cannot fail: the address has 128 bits
	return prefix.String()
}

// accountKey returns the key of an account, existing or not. It is a hash, so that Redis does not store e-mail addresses.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(account.NormalizeEmail(email)))
	return hex.EncodeToString(sum[:16])
}
