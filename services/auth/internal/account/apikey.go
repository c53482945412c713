package account

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// MaxKeyLife is how far in the future an API key may expire: 5 years.
const MaxKeyLife = 1830 * 24 * time.Hour

// KeyRequest says what an API key shall be.
type KeyRequest struct {
	Name      string
	Scopes    []authn.Scope
	Delegate  bool       // whether the key may make keys with the scope admin
	ExpiresAt *time.Time // nil if the key does not expire before its maker
	// UnknownProducts says what becomes of an item with an unknown SKU.
	UnknownProducts UnknownProducts
	// Public makes it a key that may stand in a web page; nil for a secret key.
	Public *authn.PublicKey
	// Hook makes it the key of the address of webhooks; nil for other keys. In a list it has no secret, but Signed.
	Hook *authn.Hook
}

// Secret returns a new key of the kind that is asked for.
func (r *KeyRequest) Secret() string {
	switch {
	case r.Public != nil:
		return authn.NewPublicKey()
	case r.Hook != nil:
		return authn.NewHookKey()
	}
	return authn.NewKey()
}

// UnknownProducts says what a key does with items of products that are not in the catalog.
type UnknownProducts string

// The choices.
const (
	RefuseUnknown UnknownProducts = "refuse" // refuses the item
	CreateUnknown UnknownProducts = "create" // creates a placeholder product
)

// APIKey is an API key as listed. The key itself is not stored.
type APIKey struct {
	KeyRequest
	ID         uuid.UUID
	Project    string // the slug of the project that it acts in
	Prefix     string
	CreatedBy  string // the principal that made it
	Account    string // e-mail address of its owner; empty if there is none
	Signed     bool   // of the key of webhooks: its secret is set
	Stopped    string // why the account's keys do not work in the project at present: disabled or no owner; empty if they work
	CreatedAt  time.Time
	LastUsedAt *time.Time
	RevokedAt  *time.Time
}

// NewAPIKey validates a request and returns the listed form of the API key secret.
func NewAPIKey(r KeyRequest, secret string, now time.Time) (APIKey, error) {
	r.Name = strings.TrimSpace(r.Name)
	if r.Hook != nil { // a webhook that is refused is lost, and a placeholder can be described later
		r.UnknownProducts = cmp.Or(r.UnknownProducts, CreateUnknown)
	}
	r.UnknownProducts = cmp.Or(r.UnknownProducts, RefuseUnknown)
	problems := nameProblems(r.Name)
	if r.Name == "" {
		problems = append(problems, errs.Field{Pointer: "/name", Code: "too_short", Detail: "Say what the key is for."})
	}
	if r.Delegate && !slices.Contains(r.Scopes, authn.ScopeAdmin) {
		problems = append(problems, errs.Field{Pointer: "/delegate", Code: "needs_admin", Detail: "Only a key with the scope admin makes keys."})
	}
	problems = append(problems, expiryProblems(r.ExpiresAt, now)...)
	problems = append(problems, r.publicProblems()...)
	problems = append(problems, r.hookProblems()...)
	if len(problems) > 0 {
		return APIKey{}, errs.New(errs.Invalid, "validation_failed", "The API key cannot be made like this.", problems...)
	}
	return APIKey{KeyRequest: r, ID: uuid.Must(uuid.NewV7()), Prefix: secret[:len(authn.KeyPrefix)+4]}, nil
}

func expiryProblems(at *time.Time, now time.Time) []errs.Field {
	switch {
	case at == nil:
		return nil
	case !at.After(now):
		return []errs.Field{{Pointer: "/expires_at", Code: "in_the_past", Detail: "The key would have expired already."}}
	case at.Sub(now) > MaxKeyLife:
		return []errs.Field{{Pointer: "/expires_at", Code: "too_late", Detail: "A key expires at most 1,830 days from now, or never."}}
	}
	return nil
}
