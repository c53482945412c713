package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

const (
	// Issuer is the iss that access tokens carry and that verifiers insist on.
	Issuer = "hp-analytics"
	// Audience is their aud, likewise.
	Audience = "hp-analytics"

	// KeyPrefix starts every API key, so that a leaked one is recognised by secret scanners.
	KeyPrefix = "hpa_"

	maxTokens = 10_000 // bound of the cache of verified tokens: about 10 MB
	maxKeys   = 10_000 // bound of the cache of API keys, unknown ones included

	// tokenTTL bounds how long a verified token is believed without a new look at the JWKS, so that a withdrawn
	// signing key stops working within it.
	tokenTTL = time.Minute
	// keyTTL bounds how long a revoked API key still works.
	keyTTL = 5 * time.Second

	clockSkew = 5 * time.Second
)

// Config says where the keys that verify access tokens come from.
type Config struct {
	// JWKSURL is the auth service's /auth/.well-known/jwks.json as this service reaches it.
	JWKSURL string `env:"JWKS_URL, default=http://localhost:8080/auth/.well-known/jwks.json"`
	// JWKSRefresh is how often the key set is fetched again. An unknown key id triggers a fetch at once.
	JWKSRefresh time.Duration `env:"JWKS_REFRESH_INTERVAL, default=5m"`
}

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if u, err := url.Parse(c.JWKSURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
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
	Role Role `json:"role"`
}

// KeyStore finds API keys. FindKey returns NotFound for a key that does not exist or is revoked.
type KeyStore interface {
	FindKey(ctx context.Context, key string) (Principal, error)
}

// Verifier turns credentials into principals. It is safe for concurrent use.
type Verifier struct {
	keys   KeyStore
	jwks   keyfunc.Keyfunc
	parser *jwt.Parser
	tokens *otter.Cache[string, verifiedToken]
	seen   *otter.Cache[string, apiKey]
}

// verifiedToken is a cached success; failures are not cached, because a token can only fail cheaply.
type verifiedToken struct {
	principal Principal
	expires   time.Time
}

// apiKey is a cached look-up, of an unknown key too: err is then the answer.
type apiKey struct {
	principal Principal
	err       error
}

// NewVerifier returns a verifier. The JWKS is fetched in the background until ctx ends; a service can therefore start
// before the auth service, and tokens answer 503 until the first fetch succeeds.
func NewVerifier(ctx context.Context, cfg Config, keys KeyStore, logger *slog.Logger) (*Verifier, error) {
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
		return nil, fmt.Errorf("set up the JWKS of %s: %w", cfg.JWKSURL, err)
	}
	return &Verifier{
		keys: keys,
		jwks: jwks,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // never "none", never a shared secret
			jwt.WithIssuer(Issuer), jwt.WithAudience(Audience),
			jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew),
		),
		tokens: otter.Must(&otter.Options[string, verifiedToken]{
			MaximumSize:      maxTokens,
			ExpiryCalculator: otter.ExpiryWriting[string, verifiedToken](tokenTTL),
		}),
		seen: otter.Must(&otter.Options[string, apiKey]{
			MaximumSize:      maxKeys,
			ExpiryCalculator: otter.ExpiryWriting[string, apiKey](keyTTL),
		}),
	}, nil
}

// Middleware authenticates requests that carry an Authorization header and lets anonymous ones pass: what needs a
// caller asks with Require. Credentials that are sent but not valid are refused everywhere.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if header == "" {
			next.ServeHTTP(w, r)
			return
		}
		p, err := v.Authenticate(r.Context(), header)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithPrincipal(r.Context(), p)))
	})
}

// Authenticate verifies the value of an Authorization header. Errors are Unauthenticated, or Unavailable when the
// credentials cannot be checked for now.
func (v *Verifier) Authenticate(ctx context.Context, header string) (Principal, error) {
	scheme, credential, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return Principal{}, errs.New(errs.Unauthenticated, "invalid_authorization",
			"The Authorization header must read: Bearer <access token or API key>.")
	}
	if strings.HasPrefix(credential, KeyPrefix) {
		return v.apiKey(ctx, credential)
	}
	return v.token(ctx, credential)
}

func (v *Verifier) token(ctx context.Context, raw string) (Principal, error) {
	if t, ok := v.tokens.GetIfPresent(raw); ok && time.Now().Before(t.expires) {
		return t.principal, nil
	}
	var claims Claims
	if _, err := v.parser.ParseWithClaims(raw, &claims, v.jwks.KeyfuncCtx(ctx)); err != nil {
		return Principal{}, v.tokenError(ctx, err)
	}
	p := Principal{Subject: claims.Subject, Role: claims.Role}
	if _, err := uuid.Parse(p.Subject); err != nil {
		return Principal{}, errInvalidToken.Because(fmt.Errorf("subject: %w", err))
	}
	v.tokens.Set(raw, verifiedToken{principal: p, expires: claims.ExpiresAt.Add(clockSkew)})
	return p, nil
}

var errInvalidToken = errs.New(errs.Unauthenticated, "invalid_token", "The access token is not valid. Log in again.")

// tokenError says what is wrong with a token, as far as its bearer should know.
func (v *Verifier) tokenError(ctx context.Context, err error) error {
	if errors.Is(err, jwt.ErrTokenExpired) {
		return errs.New(errs.Unauthenticated, "token_expired", "The access token has expired. Use the refresh token or log in again.").Because(err)
	}
	if errors.Is(err, jwt.ErrTokenUnverifiable) && v.Ready(ctx) != nil {
		return errs.New(errs.Unavailable, "keys_unavailable", "Tokens cannot be verified right now. Try again shortly.").Because(err)
	}
	return errInvalidToken.Because(err)
}

func (v *Verifier) apiKey(ctx context.Context, key string) (Principal, error) {
	found, err := v.seen.Get(ctx, key, otter.LoaderFunc[string, apiKey](v.loadKey))
	if err != nil {
		return Principal{}, err //nolint:wrapcheck // loadKey's own error
	}
	return found.principal, found.err
}

// loadKey looks a key up. An unknown key is a value, so that it is cached; an outage is an error, so that it is not.
func (v *Verifier) loadKey(ctx context.Context, key string) (apiKey, error) {
	p, err := v.keys.FindKey(ctx, key)
	if errs.Is(err, errs.NotFound) {
		return apiKey{err: errs.New(errs.Unauthenticated, "invalid_api_key", "The API key is unknown or revoked.")}, nil
	}
	if err != nil {
		return apiKey{}, fmt.Errorf("look up an API key: %w", err)
	}
	return apiKey{principal: p}, nil
}

// Ready is a readiness check: at least one signing key is known.
func (v *Verifier) Ready(ctx context.Context) error {
	keys, err := v.jwks.Storage().KeyReadAll(ctx)
	if err != nil {
		return fmt.Errorf("read the JWKS: %w", err)
	}
	if len(keys) == 0 {
		return errors.New("no signing key fetched yet")
	}
	return nil
}
