package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

const (
	fetchTimeout = 5 * time.Second
	// Until the first fetch succeeds it is tried again after a pause that doubles from the first to the second of these.
	minFetchPause = 100 * time.Millisecond
	maxFetchPause = 5 * time.Second
)

var errNoKeys = errors.New("no signing key fetched yet")

// fetchedKeys is the key set of another process, fetched over HTTP.
type fetchedKeys struct {
	set atomic.Pointer[keyfunc.Keyfunc] // nil until the first fetch succeeds
}

var _ KeySet = (*fetchedKeys)(nil)

// fetchKeys fetches in the background until ctx ends: now, until that succeeds; then at every interval, and when a token
// names an unknown key.
func fetchKeys(ctx context.Context, cfg Config, logger *slog.Logger) *fetchedKeys {
	k := &fetchedKeys{}
	go func() {
		for pause := minFetchPause; ; pause = min(2*pause, maxFetchPause) {
			set, err := fetch(ctx, cfg, logger)
			if err == nil {
				k.set.Store(&set)
				return
			}
			if ctx.Err() == nil {
				logger.WarnContext(ctx, "fetching the JWKS for the first time", "url", cfg.JWKSURL, "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}()
	return k
}

// fetch tries once, and goes on in the background until ctx ends when that succeeded.
func fetch(ctx context.Context, cfg Config, logger *slog.Logger) (keyfunc.Keyfunc, error) {
	refreshing, cancel := context.WithCancel(ctx)
	failOnFirst := false
	set, err := keyfunc.NewDefaultOverrideCtx(refreshing, []string{cfg.JWKSURL}, keyfunc.Override{
		Client:                    &http.Client{Timeout: fetchTimeout},
		HTTPTimeout:               fetchTimeout,
		NoErrorReturnFirstHTTPReq: &failOnFirst,
		RefreshInterval:           cfg.JWKSRefresh,
		RefreshUnknownKID:         rate.NewLimiter(rate.Every(time.Second), 2), // a flood of made-up key ids must not reach auth
		RateLimitWaitMax:          time.Second,
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				logger.WarnContext(ctx, "fetching the JWKS", "url", url, "err", err)
			}
		},
	})
	if err != nil {
		cancel() // the library has started to refresh already
		return nil, fmt.Errorf("fetch the JWKS: %w", err)
	}
	context.AfterFunc(ctx, cancel)
	return set, nil
}

// KeyfuncCtx implements KeySet.
func (k *fetchedKeys) KeyfuncCtx(ctx context.Context) jwt.Keyfunc {
	if set := k.set.Load(); set != nil {
		return (*set).KeyfuncCtx(ctx)
	}
	return func(*jwt.Token) (any, error) { return nil, errNoKeys }
}

// Ready implements KeySet.
func (k *fetchedKeys) Ready(ctx context.Context) error {
	set := k.set.Load()
	if set == nil {
		return errNoKeys
	}
	keys, err := (*set).Storage().KeyReadAll(ctx)
	if err != nil {
		return fmt.Errorf("read the JWKS: %w", err)
	}
	if len(keys) == 0 {
		return errNoKeys
	}
	return nil
}
