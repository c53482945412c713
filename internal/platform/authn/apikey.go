package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

const (
	// KeyPrefix starts every API key, so that secret scanners recognize a leaked one.
	KeyPrefix = "hpa_"

	secretChars   = 43 // 256 bits in base64url
	checksumChars = 6  // 32 bits in base62
	keyChars      = len(KeyPrefix) + secretChars + checksumChars

	// maxKeys is how many hashes of keys each cache holds: about 2 MB, whatever callers send.
	maxKeys = 10_000
	// keyTTL is how long a look-up of an API key is cached. Together with the time of a query, a revoked key stops working
	// in less than 5 s.
	keyTTL = 4 * time.Second
	// provenTTL is how long after its last use a key that existed is not counted as a guess.
	provenTTL = time.Hour

	// missLimit is how many unknown keys a client network may have looked up per missWindow, in each process.
	missLimit  = 30
	missWindow = time.Minute
	// maxNetworks bounds the counts of unknown keys: about 2 MB.
	maxNetworks = 10_000
)

// NewKey returns a new secret API key: KeyPrefix, 256 random bits, and a checksum by which a mistyped or invented key is recognized
// without a look-up.
func NewKey() string { return newKey(KeyPrefix) }

func newKey(prefix string) string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return signed(prefix, secret)
}

// wellFormed reports whether signed could have made key. All prefixes are as long as KeyPrefix.
func wellFormed(key, prefix string) bool {
	return len(key) == keyChars && strings.HasPrefix(key, prefix) && checksum(key[:keyChars-checksumChars]) == key[keyChars-checksumChars:]
}

// checksum returns the CRC-32 of s in base62.
func checksum(s string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var text [checksumChars]byte
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := range text {
		text[checksumChars-1-i] = digits[sum%62]
		sum /= 62
	}
	return string(text[:])
}

// HashKey returns the hash under which an API key is stored. A plain SHA-256 is enough: a key has 256 random bits, which
// cannot be guessed, so a slow hash would not protect it any better.
func HashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

type keyHash = [sha256.Size]byte

// keyCache looks up API keys, or keys of share links. Its caches are keyed by hashes, so their size does not depend on what callers send. Unknown
// keys have a cache of their own, so that guesses do not displace keys in use.
type keyCache struct {
	store    KeyStore
	prefixes []string
	invalid  *errs.Error // the answer to an unknown key
	expired  *errs.Error
	known    *otter.Cache[keyHash, Key]
	unknown  *otter.Cache[keyHash, struct{}]
	proven   *otter.Cache[keyHash, struct{}]
	misses   *otter.Cache[string, *rate.Limiter] // by client network
}

func newKeyCache(store KeyStore) *keyCache {
	return newCredentialCache(store, errInvalidKey, errExpiredKey, KeyPrefix, PublicKeyPrefix)
}

func newCredentialCache(store KeyStore, invalid, expired *errs.Error, prefixes ...string) *keyCache {
	return &keyCache{
		store: store, prefixes: prefixes, invalid: invalid, expired: expired,
		known: otter.Must(&otter.Options[keyHash, Key]{
			MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryWriting[keyHash, Key](keyTTL),
		}),
		unknown: otter.Must(&otter.Options[keyHash, struct{}]{
			MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryWriting[keyHash, struct{}](keyTTL),
		}),
		proven: otter.Must(&otter.Options[keyHash, struct{}]{
			MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryAccessing[keyHash, struct{}](provenTTL),
		}),
		misses: otter.Must(&otter.Options[string, *rate.Limiter]{
			MaximumSize: maxNetworks, ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](missWindow),
		}),
	}
}

// stop ends the goroutines that remove expired entries.
func (c *keyCache) stop() {
	c.known.StopAllGoroutines()
	c.unknown.StopAllGoroutines()
	c.proven.StopAllGoroutines()
	c.misses.StopAllGoroutines()
}

var (
	errInvalidKey = errs.New(errs.Unauthenticated, "invalid_api_key", "The API key is unknown or revoked, or its account is disabled or no owner of the project any more.")
	errExpiredKey = errs.New(errs.Unauthenticated, "api_key_expired", "The API key has expired. Create a new one.")
)

// find returns the caller with a key.
func (c *keyCache) find(ctx context.Context, key string) (Principal, error) {
	if !slices.ContainsFunc(c.prefixes, func(prefix string) bool { return wellFormed(key, prefix) }) {
		return Principal{}, c.invalid
	}
	hash := sha256.Sum256([]byte(key))
	if _, ok := c.unknown.GetIfPresent(hash); ok {
		return Principal{}, c.invalid
	}
	k, err := c.known.Get(ctx, hash, otter.LoaderFunc[keyHash, Key](func(ctx context.Context, hash keyHash) (Key, error) {
		return c.load(ctx, key, hash)
	}))
	if err != nil {
		return Principal{}, err
	}
	if k.expired() {
		return Principal{}, c.expired
	}
	return k.Principal, nil
}

// load looks up a key in the store. An unknown key is cached, an outage is not.
func (c *keyCache) load(ctx context.Context, key string, hash keyHash) (Key, error) {
	if _, ok := c.proven.GetIfPresent(hash); !ok {
		// A miss is taken in advance, so that many guesses at once cannot pass together, and given back to a key that exists.
		misses := c.missesOf(ctx)
		if !misses.Allow() {
			return Key{}, errs.New(errs.TooMany, "rate_limited", "Too many unknown API keys came from this address.").After(missWindow / missLimit)
		}
		defer func() {
			if _, guess := c.unknown.GetIfPresent(hash); !guess {
				misses.AllowN(time.Now(), -1)
			}
		}()
	}
	k, err := c.store.FindKey(ctx, key)
	if errs.Is(err, errs.NotFound) {
		c.unknown.Set(hash, struct{}{})
		return Key{}, c.invalid.Because(err)
	}
	if err != nil {
		return Key{}, fmt.Errorf("look up an API key: %w", err)
	}
	c.proven.Set(hash, struct{}{})
	return k, nil
}

// missesOf returns the count of unknown keys of the client's network.
func (c *keyCache) missesOf(ctx context.Context) *rate.Limiter {
	misses, _ := c.misses.ComputeIfAbsent(httpserver.ClientNetwork(ctx), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(missWindow/missLimit), missLimit), false
	})
	return misses
}
