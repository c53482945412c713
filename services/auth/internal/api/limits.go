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

// Limits bound the operations that a stranger may call as often as it likes, before their expensive part.
type Limits struct {
	LoginAddress *ratelimit.Limiter
	LoginAccount *ratelimit.Limiter
	Register     *ratelimit.Limiter
	Refresh      *ratelimit.Limiter
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
		// By address first, so that one client cannot use up other people's quotas any faster than its own.
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

// network returns what of an address counts as one client: all of IPv4, and the /64 of IPv6 that one customer has.
func network(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	prefix, _ := addr.WithZone("").Prefix(64) // 64 bits are there
	return prefix.String()
}

// accountKey names an account, existing or not, without telling Redis its e-mail address.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(account.NormalizeEmail(email)))
	return hex.EncodeToString(sum[:16])
}
