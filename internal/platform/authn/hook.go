package authn

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// HookKeyPrefix starts the keys that are the last part of the addresses of webhooks.
const HookKeyPrefix = "hpc_"

// The services whose webhooks are taken.
const (
	Shopify = "shopify"
	Stripe  = "stripe"
)

// Hook is what is known of the service that sends webhooks to an address.
type Hook struct {
	Service string // Shopify or Stripe
	Secret  string // with which the service signs; empty until it is set
}

// NewHookKey returns a new key for the address of webhooks, in the form of a secret key.
func NewHookKey() string { return newKey(HookKeyPrefix) }

// AcceptHooks makes the verifier accept the keys of webhooks, which store finds. It must be called before the first request.
func (v *Verifier) AcceptHooks(store KeyStore) {
	v.hooks = newCredentialCache(store, errInvalidHook, errExpiredKey, HookKeyPrefix)
}

var errInvalidHook = errs.New(errs.Unauthenticated, "invalid_api_key",
	"The key in the address of the webhook is unknown or revoked, or its account is disabled or no owner of the project any more.")

// Hooks finds the keys of webhooks in the schema of the auth service.
type Hooks struct{ store *Postgres }

// NewHooks returns a store that reads with pool.
func NewHooks(pool *pgxpool.Pool) Hooks { return Hooks{NewPostgres(pool)} }

var _ KeyStore = Hooks{}

// FindKey implements KeyStore. It records that the key is used, as that of Postgres does.
func (h Hooks) FindKey(ctx context.Context, key string) (Key, error) {
	const query = `
		SELECT k.id::text, coalesce(k.owner, k.id)::text, k.scopes, k.unknown_products = 'create', k.expires_at - now(),
		       k.kind, k.signing_secret, ` + keyUnrecorded + `, ` + projectColumns + `
		FROM auth.api_keys k
		JOIN auth.projects p ON p.id = k.project
		WHERE k.kind IN ('shopify', 'stripe') AND ` + keyWorks
	asked := time.Now()
	var k Key
	var r projectRow
	var hook Hook
	var left *time.Duration
	var record bool
	targets := append([]any{&k.KeyID, &k.Owner, &k.Scopes, &k.CreateProducts, &left, &hook.Service, &hook.Secret, &record}, r.targets()...)
	err := h.store.Pool.QueryRow(ctx, query, HashKey(key)).Scan(targets...)
	if err == nil {
		k.Project, err = h.store.project(r)
	}
	if err != nil {
		return Key{}, postgres.Classify(fmt.Errorf("find the key of a webhook: %w", err))
	}
	k.Hook = &hook
	if left != nil {
		k.Expires = asked.Add(*left)
	}
	if record {
		h.store.recordUse(ctx, k.KeyID)
	}
	return k, nil
}
