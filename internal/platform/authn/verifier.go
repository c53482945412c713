package authn

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// Issuer is the iss claim that access tokens carry and verifiers require.
	Issuer = "hp-analytics"
	// Audience is the aud claim that access tokens carry and verifiers require.
	Audience = "hp-analytics"

	maxTokens = 10_000 // in the cache of verified tokens: about 5 MB

	// tokenTTL is how long a verified token is accepted without checking it again. A signing key that is removed from the
	// JWKS stops working within this time.
	tokenTTL  = time.Minute
	clockSkew = 5 * time.Second
)

// Config says where the keys that verify access tokens come from.
type Config struct {
	// JWKSURL is the URL of /auth/.well-known/jwks.json of the auth service, as this service reaches it. While it cannot be
	// fetched for the first time, the service is unready and answers requests with a token with 503.
	JWKSURL string `env:"JWKS_URL, default=http://localhost:8080/auth/.well-known/jwks.json"`
	// JWKSRefresh is the time between two fetches. An unknown key id triggers a fetch at once.
	JWKSRefresh time.Duration `env:"JWKS_REFRESH_INTERVAL, default=5m"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if u, err := url.Parse(c.JWKSURL); err != nil || u.Host == "" || config.URL(c.JWKSURL).Ambiguous() != nil || u.Scheme != "http" && u.Scheme != "https" {
		problems = append(problems, fmt.Errorf("JWKS_URL: must be an http or https URL, not %q", c.JWKSURL))
	}
	if c.JWKSRefresh < time.Second {
		problems = append(problems, fmt.Errorf("JWKS_REFRESH_INTERVAL: must be at least 1s, not %s", c.JWKSRefresh))
	}
	return errors.Join(problems...)
}

// Claims are the claims of an access token.
type Claims struct {
	jwt.RegisteredClaims
	Role    Role   `json:"role"`
	Session string `json:"sid,omitempty"` // the login that the token belongs to
}

// Key is an API key as a KeyStore knows it.
type Key struct {
	Principal
	Expires time.Time // by the monotonic clock of this process; zero if the key does not expire
}

// KeyStore finds API keys. FindKey returns NotFound for a key that does not exist or is revoked. An expired key is found.
type KeyStore interface {
	FindKey(ctx context.Context, key string) (Key, error)
}

// Store finds what is stored about callers. Postgres is one.
type Store interface {
	KeyStore
	ProjectStore
}

// KeySet holds the public keys that verify access tokens.
type KeySet interface {
	// KeyfuncCtx returns a function that finds the key of a token by the key id in its header.
	KeyfuncCtx(ctx context.Context) jwt.Keyfunc
	// Ready returns an error while no key is known.
	Ready(ctx context.Context) error
}

// Verifier turns credentials into principals. It is safe for concurrent use.
type Verifier struct {
	set     KeySet
	refresh func(ctx context.Context) // keeps set fresh; nil if set does that itself
	parser  *jwt.Parser
	tokens  *otter.Cache[tokenHash, verifiedToken]
	keys    *keyCache
	links   *keyCache // nil: share links are unknown
	hooks   *keyCache // nil: keys of webhooks are unknown
	places  *placeCache
}

// verifiedToken is a cached success. Failures are not cached, because checking a bad token is cheap.
type verifiedToken struct {
	principal Principal
	expires   time.Time // of deadline
}

// NewVerifier returns a verifier that fetches the JWKS while Run does. A service can therefore start before the auth
// service; requests with a token are answered 503 until the first fetch succeeds.
func NewVerifier(cfg Config, store Store, logger *slog.Logger) *Verifier {
	remote := newRemoteKeys(cfg, logger)
	v := NewLocalVerifier(remote, store)
	v.refresh, v.places = remote.run, newPlaceCache(store)
	return v
}

// NewLocalVerifier returns a verifier with a key set of this process: for the auth service, which must not depend on
// reaching itself over the network to become ready. It reads memberships for each request: what the auth service hands out
// outlives a request.
func NewLocalVerifier(set KeySet, store Store) *Verifier {
	return &Verifier{
		keys:   newKeyCache(store),
		places: &placeCache{store: store},
		set:    set,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // never "none", never a shared secret
			jwt.WithIssuer(Issuer), jwt.WithAudience(Audience),
			jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew),
		),
		tokens: otter.Must(&otter.Options[tokenHash, verifiedToken]{
			MaximumSize:      maxTokens,
			ExpiryCalculator: otter.ExpiryWriting[tokenHash, verifiedToken](tokenTTL),
		}),
	}
}

// Run keeps the key set fresh until ctx ends, and then stops what the verifier runs in the background.
func (v *Verifier) Run(ctx context.Context) {
	defer v.keys.stop()
	if v.links != nil {
		defer v.links.stop()
	}
	if v.hooks != nil {
		defer v.hooks.stop()
	}
	defer v.places.stop()
	defer v.tokens.StopAllGoroutines()
	if v.refresh != nil {
		v.refresh(ctx)
	}
	<-ctx.Done()
}

// Authenticate verifies the value of an Authorization header: a Bearer token or API key, or an API key as the user name of Basic (RFC
// 7617), as libraries of other systems send it. A user is outside projects until Enter. Errors are Unauthenticated, Unavailable if the
// credentials cannot be checked at the moment, or TooMany for an address that sends many unknown API keys.
func (v *Verifier) Authenticate(ctx context.Context, header string) (Principal, error) {
	credential, keys, ok := v.presented(header)
	switch {
	case !ok:
		return Principal{}, errs.New(errs.Unauthenticated, "invalid_authorization",
			"The Authorization header must have an access token or an API key as Bearer, or an API key as the user name of Basic.")
	case keys != nil:
		return keys.find(ctx, credential)
	}
	return v.token(ctx, credential)
}

// presented returns the credential of an Authorization header, and the cache that knows it; nil for an access token. Names of schemes have
// no case.
func (v *Verifier) presented(header string) (credential string, keys *keyCache, ok bool) {
	scheme, credential, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return credential, v.credentials(credential), credential != ""
	case strings.EqualFold(scheme, "Basic"):
		credential, ok = userName(credential)
		return credential, v.keys, ok
	}
	return "", nil, false
}

// userName returns the user name of the credentials of Basic. The password is empty, or ignored.
func userName(credentials string) (string, bool) {
	decoded, err := base64.StdEncoding.DecodeString(credentials)
	name, _, ok := strings.Cut(string(decoded), ":")
	return name, err == nil && ok
}

func (v *Verifier) token(ctx context.Context, raw string) (Principal, error) {
	hash := sha256.Sum256([]byte(raw))
	if t, ok := v.tokens.GetIfPresent(hash); ok && time.Now().Before(t.expires) {
		return t.principal, nil
	}
	var claims Claims
	if _, err := v.parser.ParseWithClaims(raw, &claims, v.set.KeyfuncCtx(ctx)); err != nil {
		return Principal{}, v.tokenError(ctx, err)
	}
	p := Principal{Subject: claims.Subject, Owner: claims.Subject, Role: claims.Role, AccountRole: claims.Role, Session: claims.Session}
	if _, err := uuid.Parse(p.Subject); err != nil {
		return Principal{}, errInvalidToken.Because(fmt.Errorf("subject: %w", err))
	}
	v.tokens.Set(hash, verifiedToken{principal: p, expires: deadline(claims.ExpiresAt.Add(clockSkew))})
	return p, nil
}

// deadline returns t, which a token names by the clock, as a time that is compared by the monotonic clock of this process. A
// later step of the clock does not prolong the life of a token in the cache.
func deadline(t time.Time) time.Time { return time.Now().Add(time.Until(t)) }

var errInvalidToken = errs.New(errs.Unauthenticated, "invalid_token", "The access token is not valid. Log in again.")

// tokenError returns the error that the bearer of a token sees.
func (v *Verifier) tokenError(ctx context.Context, err error) error {
	if errors.Is(err, jwt.ErrTokenExpired) {
		return errs.New(errs.Unauthenticated, "token_expired", "The access token has expired. Use the refresh token or log in again.").Because(err)
	}
	if errors.Is(err, jwt.ErrTokenUnverifiable) && v.Ready(ctx) != nil {
		return errs.New(errs.Unavailable, "keys_unavailable", "Tokens cannot be verified right now. Try again shortly.").Because(err)
	}
	return errInvalidToken.Because(err)
}

// Ready is a readiness check: at least one signing key is known.
func (v *Verifier) Ready(ctx context.Context) error {
	return v.set.Ready(ctx)
}
