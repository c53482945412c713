// Package authntest stands in for the auth service in tests of the others: it signs access tokens and serves the key
// set that verifies them.
package authntest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// keyID is the "kid" of the one signing key.
const keyID = "authntest"

// Auth is an auth service with one signing key. It is safe for concurrent use.
type Auth struct {
	tb  testing.TB
	url string
	key ed25519.PrivateKey

	database *pgxpool.Pool // set by Use
}

// Use makes Token store the memberships of those it makes tokens for in the database of a pool, which acts as its owner.
func (a *Auth) Use(owner *pgxpool.Pool) { a.database = owner }

// Join makes a user with an account a member of a project, and makes the account if there is none.
func (a *Auth) Join(project int16, role authn.Role, subject string) {
	a.tb.Helper()
	if a.database == nil {
		a.tb.Fatalf("call Use before there is a member with the role %s", role)
	}
	const join = `
		WITH account AS (
			INSERT INTO auth.users (id, email, password_hash) VALUES ($1::uuid, $1::uuid || '@example.com', '')
			ON CONFLICT (id) DO UPDATE SET name = users.name
			RETURNING id
		)
		INSERT INTO auth.members (user_id, project, role) SELECT id, $2, $3 FROM account
		ON CONFLICT (project, user_id) DO UPDATE SET role = excluded.role`
	if _, err := a.database.Exec(a.tb.Context(), join, subject, project, role); err != nil {
		a.tb.Fatalf("make a member: %v", err)
	}
}

// New starts an Auth that ends with the test.
func New(tb testing.TB) *Auth {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatalf("make a signing key: %v", err)
	}
	keySet, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": keyID,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	if err != nil {
		tb.Fatalf("encode the key set: %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(keySet)
	}))
	tb.Cleanup(server.Close)
	return &Auth{tb: tb, url: server.URL, key: private}
}

// JWKSURL is where the key set is, for authn.Config.
func (a *Auth) JWKSURL() string { return a.url }

// Config is the configuration of a verifier that trusts a's tokens.
func (a *Auth) Config() authn.Config {
	return authn.Config{JWKSURL: a.url, JWKSRefresh: time.Hour}
}

// Option changes a token before it is signed.
type Option func(*token)

type token struct {
	claims authn.Claims
	method jwt.SigningMethod
	key    any
}

// ExpiresAt makes a token that is good until t.
func ExpiresAt(t time.Time) Option {
	return func(tk *token) { tk.claims.ExpiresAt = jwt.NewNumericDate(t) }
}

// Audience makes a token for somebody else.
func Audience(name string) Option {
	return func(tk *token) { tk.claims.Audience = jwt.ClaimStrings{name} }
}

// Unsigned makes a token with alg "none", which nobody may accept.
func Unsigned() Option {
	return func(tk *token) { tk.method, tk.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType }
}

// SignedBy makes a token with a's key id but the signature of another key.
func SignedBy(key ed25519.PrivateKey) Option {
	return func(tk *token) { tk.key = key }
}

// Token returns an access token of the user subject (a UUID), valid for 15 minutes unless an option says otherwise. For the role
// of a member, the user becomes a member of the default project.
func (a *Auth) Token(role authn.Role, subject string, options ...Option) string {
	a.tb.Helper()
	if role != authn.Admin && role != authn.User {
		a.Join(authn.DefaultProject, role, subject)
		role = authn.User
	}
	now := time.Now()
	tk := token{
		claims: authn.Claims{Role: role, RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: subject,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(15 * time.Minute)),
		}},
		method: jwt.SigningMethodEdDSA, key: a.key,
	}
	for _, option := range options {
		option(&tk)
	}
	unsigned := jwt.NewWithClaims(tk.method, tk.claims)
	unsigned.Header["kid"] = keyID
	signed, err := unsigned.SignedString(tk.key)
	if err != nil {
		a.tb.Fatalf("sign a token: %v", err)
	}
	return signed
}
