// Package token creates access tokens (EdDSA JWTs) and opaque secrets: refresh tokens and API keys, of which only hashes are
// stored.
package token

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// SigningKey signs access tokens.
type SigningKey struct {
	ID        string
	Private   ed25519.PrivateKey
	CreatedAt time.Time
}

// NewSigningKey creates a key with a random id.
func NewSigningKey() SigningKey {
	_, private, _ := ed25519.GenerateKey(rand.Reader) // never fails with this reader
	return SigningKey{ID: rand.Text()[:16], Private: private}
}

// PublicKey returns the public key as the x value of a JWK (RFC 8037).
func (k SigningKey) PublicKey() string {
	return base64.RawURLEncoding.EncodeToString(k.Private[ed25519.SeedSize:])
}

// Access returns an access token for a user, which belongs to a session.
func (k SigningKey) Access(subject, session uuid.UUID, role authn.Role, now time.Time, life time.Duration) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{
		Role: role, Session: session.String(),
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: subject.String(), ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
	})
	t.Header["kid"] = k.ID
	signed, err := t.SignedString(k.Private)
	if err != nil {
		return "", fmt.Errorf("sign an access token: %w", err)
	}
	return signed, nil
}

// NewSecret returns 256 random bits in base64url, 43 characters.
func NewSecret() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// NewKey returns 256 random bits, the key of Successor.
func NewKey() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
}

// Successor returns the refresh token that follows another one in a session: the HMAC-SHA-256 of that token under the key
// of the session, so that a repeated request can be answered alike although no token is stored. The key alone does not give
// it, because the database holds only hashes of tokens; a token alone does not give it either. Whoever has both has read
// the table of signing keys, too, and needs no refresh token.
func Successor(key []byte, refresh string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(refresh))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// HashSecret returns the hash under which a secret is stored. A secret of 256 random bits cannot be guessed, so no slow hash
// is needed.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
