package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// Attempts limits the answers that an attacker collects. An attempt takes its units before it is decided, so that many at once
// cannot pass together, and gets them back unless the answer is one of those.
type Attempts struct {
	// Network counts wrong passwords of an account, or of a share link, together with the client's network, so that a stranger's tries do not lock
	// out the owner.
	Network *ratelimit.Limiter
	// Account counts wrong passwords of an account, or of a share link, over all networks, slowly, against tries that are spread over many.
	Account *ratelimit.Limiter
	// Refused counts, for a network, registrations and invitations that are refused because the e-mail address is taken, which tells who has an
	// account, or because the invitation is invalid, which may be a guess.
	Refused *ratelimit.Limiter
}

// collected are the codes that attackers collect.
var collected = []string{errCredentials.Code, errWrongPassword.Code, errSharePassword.Code, account.EmailTaken, account.InvitationInvalid}

// charge is a unit that an attempt takes.
type charge struct {
	limiter *ratelimit.Limiter
	key     string
}

// charges returns what a request takes.
func (a Attempts) charges(ctx context.Context, request any) []charge {
	var email string
	switch request := request.(type) {
	case LoginRequestObject:
		email = request.Body.Email
	case ChangePasswordRequestObject:
		email = callerOf(ctx).Email
	case OpenShareLinkRequestObject:
		if request.Body.Password == nil {
			return nil
		}
		return a.passwords(ctx, "link:"+hashed(request.Body.Secret))
	case RegisterRequestObject, AcceptInvitationRequestObject:
		return []charge{{a.Refused, httpserver.ClientNetwork(ctx)}}
	default:
		return nil
	}
	return a.passwords(ctx, accountKey(email))
}

// passwords returns what an attempt with a password takes.
func (a Attempts) passwords(ctx context.Context, key string) []charge {
	return []charge{{a.Network, key + "@" + httpserver.ClientNetwork(ctx)}, {a.Account, key}}
}

// limit applies the limits.
func (a Attempts) limit(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		charges := a.charges(ctx, request)
		refund := func(charges []charge) {
			for _, c := range charges {
				c.limiter.Refund(context.WithoutCancel(ctx), c.key, 1)
			}
		}
		for i, c := range charges {
			if err := c.limiter.Allow(ctx, w.Header(), c.key, 1); err != nil {
				refund(charges[:i])
				return nil, err
			}
		}
		answer, err := next(ctx, w, r, request)
		if !counts(request, err) {
			refund(charges)
		}
		return answer, err
	}
}

// counts reports whether an attempt keeps its units. A change of the password does, because it costs two hashes and a session.
func counts(request any, err error) bool {
	_, change := request.(ChangePasswordRequestObject)
	return err == nil && change || slices.Contains(collected, errs.CodeOf(err))
}

// accountKey returns the key of an account, existing or not. It is a hash, so that Redis does not store e-mail addresses.
func accountKey(email string) string {
	return hashed(account.NormalizeEmail(email))
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
