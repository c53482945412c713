// Package keyring keeps the signing keys in the process: which one signs, which are published, and how long an outage of
// the store behind it goes unnoticed.
package keyring

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const (
	// refresh is how often the store is asked; what one replica makes is known to all within it.
	refresh = time.Minute
	// lead is the age at which a key begins to sign. By then every replica publishes it, so whichever a verifier asks
	// after meeting the unknown key id, it gets the key.
	lead = 2 * refresh
	// pause is the shortest time between two questions to the store, whatever comes in: an outage, or made-up key ids.
	pause = time.Second
	// patience bounds one question. It does not depend on the request that happens to ask.
	patience = 5 * time.Second
)

// Ring keeps the keys. While the store is away it goes on with the keys it has. It is safe for concurrent use.
type Ring struct {
	load func(context.Context) ([]token.SigningKey, error)

	mu    sync.Mutex
	keys  []token.SigningKey // newest first
	fresh time.Time          // of the last answer of the store
	tried time.Time          // of the last question
	err   error              // of the last question
}

var _ authn.KeySet = (*Ring)(nil)

// New returns a ring of the keys that load returns, newest first. The first key is made by load, if need be.
func New(load func(context.Context) ([]token.SigningKey, error)) *Ring { return &Ring{load: load} }

// Keys returns the keys whose tokens may still be valid, newest first. The error is Unavailable when none is known yet.
func (r *Ring) Keys(ctx context.Context) ([]token.SigningKey, error) { return r.get(ctx, refresh) }

// get returns keys that are at most maxAge old, or older ones while the store is away.
func (r *Ring) get(ctx context.Context, maxAge time.Duration) ([]token.SigningKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.fresh) >= maxAge && time.Since(r.tried) >= pause {
		loadCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		keys, err := r.load(loadCtx)
		r.tried, r.err = time.Now(), err
		if err == nil {
			r.keys, r.fresh = keys, r.tried
		}
	}
	if len(r.keys) == 0 {
		return nil, r.err
	}
	return r.keys, nil
}

// Signer returns the key that signs: the newest one that every replica publishes by now, and the oldest where all are new.
func (r *Ring) Signer(ctx context.Context) (token.SigningKey, error) {
	keys, err := r.Keys(ctx)
	if err != nil {
		return token.SigningKey{}, err
	}
	for _, k := range keys {
		if time.Since(k.CreatedAt) >= lead {
			return k, nil
		}
	}
	return keys[len(keys)-1], nil
}

// KeyfuncCtx implements authn.KeySet. A key id that is not known may be of another replica's new key: the store is asked.
func (r *Ring) KeyfuncCtx(ctx context.Context) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		for _, maxAge := range []time.Duration{refresh, 0} {
			keys, err := r.get(ctx, maxAge)
			if err != nil {
				return nil, err
			}
			for _, k := range keys {
				if k.ID == id {
					return k.Private.Public(), nil
				}
			}
		}
		return nil, fmt.Errorf("unknown key id %q", id)
	}
}

// Ready implements authn.KeySet.
func (r *Ring) Ready(ctx context.Context) error {
	if _, err := r.Keys(ctx); err != nil {
		return errs.New(errs.Unavailable, "no_signing_key", "No signing key is known yet.").Because(err)
	}
	return nil
}
