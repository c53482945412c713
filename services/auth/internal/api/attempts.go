package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// Attempts limits wrong passwords. An attempt takes its units before the password is checked, so that many at once cannot
// pass together, and gets them back unless the password was wrong.
type Attempts struct {
	// Network counts an account together with the client's network, so that a stranger's tries do not lock out the owner.
	Network *ratelimit.Limiter
	// Account counts an account over all networks, slowly, against tries that are spread over many.
	Account *ratelimit.Limiter
}

// limit applies the limits of logins to the operation Login.
func (a Attempts) limit(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	if operation != "Login" {
		return next
	}
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		login, _ := request.(LoginRequestObject) // the generated code of this operation passes no other type
		key := accountKey(login.Body.Email)
		network := key + "@" + httpserver.ClientNetwork(ctx)
		refund := context.WithoutCancel(ctx)
		if err := a.Network.Allow(ctx, w.Header(), network, 1); err != nil {
			return nil, err
		}
		if err := a.Account.Allow(ctx, w.Header(), key, 1); err != nil {
			a.Network.Refund(refund, network, 1)
			return nil, err
		}
		answer, err := next(ctx, w, r, request)
		if errs.CodeOf(err) != errCredentials.Code {
			a.Network.Refund(refund, network, 1)
			a.Account.Refund(refund, key, 1)
		}
		return answer, err
	}
}

// accountKey returns the key of an account, existing or not. It is a hash, so that Redis does not store e-mail addresses.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(account.NormalizeEmail(email)))
	return hex.EncodeToString(sum[:16])
}
