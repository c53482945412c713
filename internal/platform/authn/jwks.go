package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

const (
	fetchTimeout = 5 * time.Second
	// Until the first fetch succeeds, the pause between attempts doubles from minFetchPause to maxFetchPause.
	minFetchPause = 100 * time.Millisecond
	maxFetchPause = 5 * time.Second
	// unknownKeyInterval and unknownKeyBurst limit the fetches that tokens with an unknown key id trigger, so that a flood
	// of forged tokens does not reach the auth service. A request waits unknownKeyWait at most for its turn.
	unknownKeyInterval = time.Second
	unknownKeyBurst    = 2
	unknownKeyWait     = time.Second
)

var errNoKeys = errors.New("no signing key fetched yet")

// remoteKeys is the key set of another process, fetched over HTTP.
type remoteKeys struct {
	cfg     Config
	logger  *slog.Logger
	client  *http.Client
	unknown *rate.Limiter
	set     atomic.Pointer[keyfunc.Keyfunc] // nil until the first fetch succeeds
}

var _ KeySet = (*remoteKeys)(nil)

func newRemoteKeys(cfg Config, logger *slog.Logger) *remoteKeys {
	return &remoteKeys{
		cfg:    cfg,
		logger: logger,
		// A transport of its own, so that run can close the idle connections when it ends.
		client:  &http.Client{Timeout: fetchTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}},
		unknown: rate.NewLimiter(rate.Every(unknownKeyInterval), unknownKeyBurst),
	}
}

// run keeps the key set fresh until ctx ends. A failed fetch keeps the keys of the one before.
func (k *remoteKeys) run(ctx context.Context) {
	defer k.client.CloseIdleConnections()
	retry := minFetchPause
	for {
		err := k.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := k.cfg.JWKSRefresh
		if err != nil {
			k.logger.WarnContext(ctx, "fetch the JWKS", "url", k.cfg.JWKSURL, "err", err)
			if k.set.Load() == nil {
				pause, retry = retry, min(2*retry, maxFetchPause)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// fetch replaces the key set by what the URL serves now. The new set fetches again by itself, within the request, when a
// token names a key id that it does not have. RefreshInterval stays 0: the library would refresh in a goroutine that
// nothing can wait for.
func (k *remoteKeys) fetch(ctx context.Context) error {
	remote, err := jwkset.NewStorageFromHTTP(k.cfg.JWKSURL, jwkset.HTTPClientStorageOptions{
		Client: k.client, Ctx: ctx, HTTPTimeout: fetchTimeout,
		RefreshErrorHandler: func(ctx context.Context, err error) {
			k.logger.WarnContext(ctx, "fetch the JWKS for an unknown key id", "url", k.cfg.JWKSURL, "err", err)
		},
	})
	if err != nil {
		return fmt.Errorf("fetch the JWKS: %w", err)
	}
	storage, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{k.cfg.JWKSURL: remote},
		RefreshUnknownKID: k.unknown,
		RateLimitWaitMax:  unknownKeyWait,
	})
	if err != nil {
		return fmt.Errorf("store the JWKS: %w", err)
	}
	set, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: storage})
	if err != nil {
		return fmt.Errorf("use the JWKS: %w", err)
	}
	k.set.Store(&set)
	return nil
}

// KeyfuncCtx implements KeySet.
func (k *remoteKeys) KeyfuncCtx(ctx context.Context) jwt.Keyfunc {
	if set := k.set.Load(); set != nil {
		return (*set).KeyfuncCtx(ctx)
	}
	return func(*jwt.Token) (any, error) { return nil, errNoKeys }
}

// Ready implements KeySet.
func (k *remoteKeys) Ready(ctx context.Context) error {
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
