package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
)

// access makes the clients of a demo and counts their retries.
type access struct {
	options  Options
	progress *progress
	retries  atomic.Int64
}

// client returns a client that shows its retries as progress.
func (a *access) client(options ...client.Option) (*client.Client, error) {
	options = append(options, client.WithUserAgent("hp-analytics-demo"), client.WithRetryPolicy(client.RetryPolicy{
		MaxElapsed: a.options.RetryTimeout,
		OnRetry: func(err error, _ time.Duration) {
			a.retries.Add(1)
			a.progress.retrying(err)
		},
	}))
	for segment, url := range a.options.Routes {
		options = append(options, client.WithRoute(segment, url))
	}
	return client.New(a.options.URL, options...)
}

// withKey runs fn with a client whose API key exists until fn returns.
func (a *access) withKey(ctx context.Context, admin *client.Client, fn func(key *client.Client) error) (err error) {
	name := "demo " + rand.Text()
	scopes := []client.Scope{client.ScopeIngest, client.ScopeRead}
	// A key whose answer is lost stays behind when the call is repeated. It has the same name and is revoked as well.
	created, err := admin.CreateAPIKey(ctx, client.APIKeyCreateRequest{Name: name, Scopes: scopes}, client.Repeatable())
	if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status < http.StatusInternalServerError {
		return err // there is no key to revoke
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		if revokeErr := revokeKeys(ctx, admin, name); revokeErr != nil {
			err = errors.Join(err, fmt.Errorf("the API key named %q is left behind: %w", name, revokeErr))
		}
	}()
	if err != nil {
		return err
	}
	key, err := a.client(client.WithAPIKey(created.Key))
	if err != nil {
		return err
	}
	defer key.CloseIdleConnections()
	return fn(key)
}

// revokeKeys revokes every API key of a name.
func revokeKeys(ctx context.Context, admin *client.Client, name string) error {
	keys, err := admin.ListAPIKeys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys.Items {
		if key.Name != name || !key.RevokedAt.IsZero() {
			continue
		}
		if _, err := admin.RevokeAPIKey(ctx, key.ID); err != nil {
			return err
		}
	}
	return nil
}
