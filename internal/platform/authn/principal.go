// Package authn identifies callers: users with an access token (EdDSA JWT, verified with the JWKS of the auth service) and
// machines with an API key. It caches verified credentials, so that most requests cost no signature check and no query.
package authn

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Role says what a user may do. openapi.yaml says which role may call which operation.
type Role string

// The roles. An account is an Admin or a User, in the schema Role of openapi.yaml. In a project a user has the role of its
// membership: Owner, Analyst or Viewer, in the schema ProjectRole. There an admin is an Owner, and whoever is no member is a User.
const (
	Admin   Role = "admin"
	Owner   Role = "owner"
	Analyst Role = "analyst"
	Viewer  Role = "viewer"
	User    Role = "user"
)

// Scope is a permission of an API key.
type Scope string

// The scopes. ScopeAdmin implies ScopeIngest and ScopeRead. ScopeShared is that of every share link, and of no key. ScopePublic is that
// of every public key, which has no other, and ScopeHook that of every key in the address of webhooks.
const (
	ScopeIngest Scope = "ingest"
	ScopeRead   Scope = "read"
	ScopeAdmin  Scope = "admin"
	ScopeShared Scope = "shared"
	ScopePublic Scope = "public"
	ScopeHook   Scope = "hook"
)

// Project is the project that a caller acts in. Everything that it stores and reads belongs to it.
type Project struct {
	ID       int16
	Slug     string
	Zone     *time.Location // whose days and hours are counted; nil is UTC
	Currency string         // ISO 4217 code: the default of reports
	// WeekStart is the day on which its weeks begin.
	WeekStart time.Weekday
	// MaxEventAge is how old an event may be; 0 for the setting of the installation.
	MaxEventAge time.Duration
	// EventsPerSecond limits all callers of the project together; 0 for no limit.
	EventsPerSecond int
	// Archived says that nothing of the project may be changed. Its keys are none.
	Archived bool
}

// DefaultProject is the one that the schema begins with.
const DefaultProject int16 = 1

// Principal is an authenticated caller: a user (Subject and Role), an API key (KeyID and Scopes), or the holder of a share link (KeyID
// and Link).
type Principal struct {
	Subject string // user id; empty for an API key
	// Owner is the id of the account that the caller acts for: the user itself, or the account that made the API key, if need be
	// through other keys. A key without an account is its own owner.
	Owner       string
	Role        Role   // where the user acts: in Project, or outside projects that of the account; empty for an API key
	AccountRole Role   // Admin or User; empty for an API key
	Session     string // id of the login that the access token belongs to; empty for an API key
	KeyID       string // id of the API key or share link; empty for a user
	Scopes      []Scope
	// Link is what the holder of a share link may read; nil for everybody else.
	Link *Link
	// Public says what a public key may send; nil for everybody else.
	Public *PublicKey
	// Hook is the service whose webhook the request is, if its signature fits; nil for everybody else.
	Hook *Hook
	// Project is where the caller acts. It is empty for a user outside projects.
	Project Project
	// Guest says that a user is no member of the project. Guests act in the default project only: they send own events, apart
	// from those of everybody else, and read own numbers. Their Role is User.
	Guest bool
	// CreateProducts says that an item of an API key with an unknown SKU creates a placeholder product.
	CreateProducts bool
}

// IsUser reports whether the caller is a user, and neither an API key nor a share link.
func (p Principal) IsUser() bool { return p.KeyID == "" }

// ID identifies the principal across all kinds, for logs.
func (p Principal) ID() string {
	switch {
	case p.IsUser():
		return "user:" + p.Subject
	case p.Link != nil:
		return "link:" + p.KeyID
	default:
		return "key:" + p.KeyID
	}
}

// QuotaKey identifies the principal in its project, for quotas: what a user uses up in one project is not missing in another.
func (p Principal) QuotaKey() string { return strconv.Itoa(int(p.Project.ID)) + ":" + p.ID() }

// HasScope reports whether an API key or share link carries scope. It is false for users.
func (p Principal) HasScope(scope Scope) bool {
	switch {
	case p.Link != nil || scope == ScopeShared:
		return p.Link != nil && scope == ScopeShared
	case p.Public != nil || scope == ScopePublic:
		return p.Public != nil && scope == ScopePublic
	case p.Hook != nil || scope == ScopeHook:
		return p.Hook != nil && scope == ScopeHook
	}
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
