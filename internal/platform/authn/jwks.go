package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/time/rate"
)

// fetchedKeys is the key set of another process, fetched over HTTP.
type fetchedKeys struct{ keyfunc.Keyfunc }

var _ KeySet = fetchedKeys{}

func fetchKeys(ctx context.Context, cfg Config, logger *slog.Logger) (fetchedKeys, error) {
	jwks, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{cfg.JWKSURL}, keyfunc.Override{
		Client:            &http.Client{Timeout: 5 * time.Second},
		HTTPTimeout:       5 * time.Second,
		RefreshInterval:   cfg.JWKSRefresh,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(time.Second), 2), // a flood of made-up key ids must not reach auth
		RateLimitWaitMax:  time.Second,
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				logger.WarnContext(ctx, "fetching the JWKS", "url", url, "err", err)
			}
		},
	})
	if err != nil {
		return fetchedKeys{}, fmt.Errorf("set up the JWKS of %s: %w", cfg.JWKSURL, err)
	}
	return fetchedKeys{jwks}, nil
}

// Ready implements KeySet.
func (k fetchedKeys) Ready(ctx context.Context) error {
	keys, err := k.Storage().KeyReadAll(ctx)
	if err != nil {
		return fmt.Errorf("read the JWKS: %w", err)
	}
	if len(keys) == 0 {
		return errors.New("no signing key fetched yet")
	}
	return nil
}
