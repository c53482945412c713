// Package keyring keeps the signing keys in memory and decides which of them signs. A request never waits for the store
// while a key is known.
package keyring

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const (
	// refresh is the time between two loads. A key that one replica creates is known to all replicas within it.
	refresh = time.Minute
	// lead is the age at which a key starts to sign. By then every replica publishes it, so a verifier that meets the new
	// key id can fetch the key from any of them.
	lead = 2 * refresh
	// pause is the shortest time between two loads. It bounds the queries that an outage or forged key ids cause.
	pause = time.Second
	// loadTimeout bounds one load.
	loadTimeout = 5 * time.Second
)

var errInterrupted = errs.New(errs.Unavailable, "signing_keys_loading", "The signing keys are not loaded yet. Try again shortly.")

// Ring keeps the keys. When the store fails, it continues with the keys that it has. It is safe for concurrent use.
type Ring struct {
	load   func(context.Context) ([]token.SigningKey, error)
	logger *slog.Logger
	wanted chan struct{} // holds a value while a caller waits for a load

	mu   sync.Mutex // never held during a load
	last outcome
	next chan struct{} // closed at the end of the next load
}

// outcome is what is known after a load.
type outcome struct {
	keys []token.SigningKey // of the last load that succeeded, newest first
	at   time.Time          // end of the last load
	err  error              // of the last load
}

var _ authn.KeySet = (*Ring)(nil)

// New returns a ring of the keys that load returns, newest first. If there is no key yet, load creates the first one.
func New(load func(context.Context) ([]token.SigningKey, error), logger *slog.Logger) *Ring {
	return &Ring{load: load, logger: logger, wanted: make(chan struct{}, 1), next: make(chan struct{})}
}

// Run loads the keys now, at every refresh interval, and when a caller needs a newer state, until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		r.reload(ctx)
		for again := true; again; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				again = false
			case <-r.wanted:
				again = time.Since(r.current().at) < pause // the load that just ended has answered this caller
			}
		}
	}
}

// reload loads once and wakes the callers that wait.
func (r *Ring) reload(ctx context.Context) {
	loadCtx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	keys, err := r.load(loadCtx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.last.keys = keys
	case len(r.last.keys) > 0 && ctx.Err() == nil: // without keys the callers get the error
		r.logger.WarnContext(ctx, "load the signing keys, keeping the old ones", "err", err)
	}
	r.last.at, r.last.err = time.Now(), err
	close(r.next)
	r.next = make(chan struct{})
}

func (r *Ring) current() outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// newer returns the outcome of the load in flight, or of a new one if the last load is long enough ago. All callers
// share a load; each waits for it as long as its own ctx allows.
func (r *Ring) newer(ctx context.Context) (outcome, error) {
	r.mu.Lock()
	last, next := r.last, r.next
	r.mu.Unlock()
	if !last.at.IsZero() && time.Since(last.at) < pause {
		return last, nil
	}
	select {
	case r.wanted <- struct{}{}:
	default:
	}
	select {
	case <-next:
		return r.current(), nil
	case <-ctx.Done():
		return outcome{}, errInterrupted.Because(context.Cause(ctx))
	}
}

// Keys returns the keys whose tokens may still be valid, newest first. It waits for the store only as long as no key is
// known, and then fails if the store does.
func (r *Ring) Keys(ctx context.Context) ([]token.SigningKey, error) {
	if known := r.current(); len(known.keys) > 0 {
		return known.keys, nil
	}
	loaded, err := r.newer(ctx)
	if err != nil {
		return nil, err
	}
	if len(loaded.keys) == 0 {
		return nil, loaded.err
	}
	return loaded.keys, nil
}

// Signer returns the key that signs: the newest one that every replica already publishes, or the oldest if all are too new
// for that.
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

// KeyfuncCtx implements authn.KeySet. An unknown key id may belong to a key that another replica has just created, so it
// causes a load.
func (r *Ring) KeyfuncCtx(ctx context.Context) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		keys, err := r.Keys(ctx)
		if err != nil {
			return nil, err
		}
		if k, ok := find(keys, id); ok {
			return k.Private.Public(), nil
		}
		loaded, err := r.newer(ctx)
		if err != nil {
			return nil, err
		}
		if k, ok := find(loaded.keys, id); ok {
			return k.Private.Public(), nil
		}
		return nil, fmt.Errorf("unknown key id %q", id)
	}
}

func find(keys []token.SigningKey, id string) (token.SigningKey, bool) {
	for _, k := range keys {
		if k.ID == id {
			return k, true
		}
	}
	return token.SigningKey{}, false
}

// Ready implements authn.KeySet.
func (r *Ring) Ready(ctx context.Context) error {
	if _, err := r.Keys(ctx); err != nil {
		return errs.New(errs.Unavailable, "no_signing_key", "No signing key is known yet.").Because(err)
	}
	return nil
}
