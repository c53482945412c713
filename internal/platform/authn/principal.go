// Package authn identifies callers: users with an access token (EdDSA JWT, verified with the JWKS of the auth service) and
// machines with an API key. It caches verified credentials, so that most requests cost no signature check and no query.
package authn

import (
	"context"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Role is the role of a user. openapi.yaml says which role may call which operation.
type Role string

// The roles, as in the schema Role of openapi.yaml.
const (
	Admin   Role = "admin"
	Analyst Role = "analyst"
	User    Role = "user"
)

// Scope is a permission of an API key.
type Scope string

// The scopes. ScopeAdmin implies the other two.
const (
	ScopeIngest Scope = "ingest"
	ScopeRead   Scope = "read"
	ScopeAdmin  Scope = "admin"
)

// Principal is an authenticated caller: either a user (Subject and Role) or an API key (KeyID and Scopes).
type Principal struct {
	Subject string // user id; empty for an API key
	// Owner is the id of the account that the caller acts for, and so the owner of what the caller stores: the user itself,
	// or the account that made the API key, if need be through other keys. A key without an account is its own owner.
	Owner   string
	Role    Role   // empty for an API key
	Session string // id of the login that the access token belongs to; empty for an API key
	KeyID   string // API key id; empty for a user
	Scopes  []Scope
}

// IsUser reports whether the caller is a user and not an API key.
func (p Principal) IsUser() bool { return p.KeyID == "" }

// ID identifies the principal across both kinds, for rate limits and idempotency keys.
func (p Principal) ID() string {
	if p.IsUser() {
		return "user:" + p.Subject
	}
	return "key:" + p.KeyID
}

// HasScope reports whether an API key carries scope. It is false for users.
func (p Principal) HasScope(scope Scope) bool {
	return !p.IsUser() && (slices.Contains(p.Scopes, scope) || slices.Contains(p.Scopes, ScopeAdmin))
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// ErrNoCredentials is the answer to a request without credentials for something that needs them.
var ErrNoCredentials error = errs.New(errs.Unauthenticated, "credentials_required",
	"Send an access token or an API key in the Authorization header: Bearer <token>.")

// Require returns the caller of the request of ctx, or ErrNoCredentials for an anonymous one.
func Require(ctx context.Context) (Principal, error) {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok {
		return p, nil
	}
	return Principal{}, ErrNoCredentials
}
