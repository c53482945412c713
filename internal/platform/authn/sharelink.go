package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

const (
	// LinkSecretPrefix starts the secret of a share link, which is in its address.
	LinkSecretPrefix = "hps_"
	// LinkKeyPrefix starts the key with which the report of a share link is read.
	LinkKeyPrefix = "hpl_"
)

// Link is what a share link allows its holder to read.
type Link struct {
	Report []byte // a JSON object, written by the service that makes links
}

// NewLinkSecret returns the secret of a new share link, in the form of an API key.
func NewLinkSecret() string { return newKey(LinkSecretPrefix) }

// IsLinkSecret reports whether NewLinkSecret could have made text.
func IsLinkSecret(text string) bool { return wellFormed(text, LinkSecretPrefix) }

// LinkKey returns the key that reads the report of a share link. passwordHash is the stored hash of its password, or empty. It needs
// the secret, which is not stored, so neither the database alone nor the address of a link with a password gives the key away.
func LinkKey(secret, passwordHash string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(passwordHash))
	return signed(LinkKeyPrefix, mac.Sum(nil))
}

// signed returns a credential: a prefix, 256 bits and a checksum.
func signed(prefix string, bits []byte) string {
	text := prefix + base64.RawURLEncoding.EncodeToString(bits)
	return text + checksum(text)
}

var (
	errInvalidLink = errs.New(errs.Unauthenticated, "invalid_share_link", "The share link is unknown or revoked, or its maker may not share reports of the project any more.")
	errExpiredLink = errs.New(errs.Unauthenticated, "share_link_expired", "The share link has expired. Ask its maker for a new one.")
)

// AcceptLinks makes the verifier accept the keys of share links, which store finds. It must be called before the first request.
func (v *Verifier) AcceptLinks(store KeyStore) {
	v.links = newCredentialCache(store, errInvalidLink, errExpiredLink, LinkKeyPrefix)
}

// Links finds share links in the schema of the auth service.
type Links struct{ store *Postgres }

// NewLinks returns a store that reads with pool.
func NewLinks(pool *pgxpool.Pool) Links { return Links{NewPostgres(pool)} }

var _ KeyStore = Links{}

// FindKey implements KeyStore. A link works as long as its maker is an admin, or an owner or analyst of the project.
func (l Links) FindKey(ctx context.Context, key string) (Key, error) {
	const query = `
		SELECT s.id::text, s.owner::text, s.report, s.expires_at - now(), ` + projectColumns + `
		FROM auth.share_links s
		JOIN auth.projects p ON p.id = s.project
		JOIN auth.users u ON u.id = s.owner
		WHERE s.key_hash = $1 AND s.revoked_at IS NULL AND u.disabled_at IS NULL AND (u.role = 'admin' OR EXISTS (
			SELECT FROM auth.members m WHERE m.project = s.project AND m.user_id = u.id AND m.role IN ('owner', 'analyst')))`
	asked := time.Now()
	var k Key
	var r projectRow
	var link Link
	var left time.Duration
	targets := append([]any{&k.KeyID, &k.Owner, &link.Report, &left}, r.targets()...)
	err := l.store.Pool.QueryRow(ctx, query, HashKey(key)).Scan(targets...)
	if err == nil {
		k.Project, err = l.store.project(r)
	}
	if err != nil {
		return Key{}, postgres.Classify(fmt.Errorf("find a share link: %w", err))
	}
	k.Link, k.Expires = &link, asked.Add(left)
	return k, nil
}

// credentials returns the cache of the credentials that begin like one; nil for an access token.
func (v *Verifier) credentials(credential string) *keyCache {
	switch {
	case strings.HasPrefix(credential, KeyPrefix), strings.HasPrefix(credential, PublicKeyPrefix):
		return v.keys
	case v.hooks != nil && strings.HasPrefix(credential, HookKeyPrefix):
		return v.hooks
	case v.links != nil && strings.HasPrefix(credential, LinkKeyPrefix):
		return v.links
	}
	return nil
}
