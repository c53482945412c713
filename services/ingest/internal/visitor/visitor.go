// Package visitor tells the visitors of pages apart that send no id of their own, for a day and without anything stored on their devices. An
// id is a hash with a salt, a random number that all processes share through Redis and that is deleted after 48 hours: from then on
// nobody can find out whose id it was, and no two days of a person can be joined.
package visitor

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

const (
	// kept is how long Redis keeps a salt: until a day after its own is over, for clocks that differ.
	kept = 48 * time.Hour
	// timeout bounds a request to Redis. There are two on a day.
	timeout   = time.Second
	saltBytes = 32
	// idBytes are kept of a hash: two of a billion visitors of a day have the same id with a chance of 1 to a billion.
	idBytes = 16
)

// Days makes ids. It is safe for concurrent use.
type Days struct {
	redis  *redis.Client
	logger *slog.Logger
	outage redis.Outage

	mu   sync.Mutex
	day  string // of salt, in UTC
	salt []byte
	own  bool // Redis does not have the salt
}

// New returns a maker of ids.
func New(client *redis.Client, logger *slog.Logger) *Days {
	return &Days{redis: client, logger: logger}
}

// ID returns the id of the visitor of the pages of a key who sends from a network with a browser (its User-Agent). While Redis is away, each
// process takes a salt of its own for the day, so a visitor may count once for each.
func (d *Days) ID(ctx context.Context, key, network, browser string) string {
	mac := hmac.New(sha256.New, d.saltOf(ctx, time.Now().UTC().Format(time.DateOnly)))
	for _, part := range []string{key, network, browser} {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return "day-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:idBytes])
}

// saltOf returns the salt of a day. Callers wait for the first one of the day, who asks Redis.
func (d *Days) saltOf(ctx context.Context, day string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.day == day && (!d.own || d.outage.Ongoing()) {
		return d.salt
	}
	fresh := make([]byte, saltBytes)
	_, _ = rand.Read(fresh) // never fails
	if d.day == day {
		fresh = d.salt
	}
	shared, err := d.share(ctx, day, fresh)
	if d.day, d.salt, d.own = day, fresh, err != nil; err == nil {
		d.salt = shared
		return d.salt
	}
	d.outage.Begin()
	d.logger.WarnContext(ctx, "visitors of a day are told apart by each process on its own, because Redis does not answer", "err", err)
	return d.salt
}

// share returns the salt of a day that Redis has, which is fresh if there was none.
func (d *Days) share(ctx context.Context, day string, fresh []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout) // others wait for it, too
	defer cancel()
	name, err := d.redis.Key(ctx, "visitors:"+day)
	if err != nil {
		return nil, err
	}
	if err := d.redis.SetArgs(ctx, name, fresh, goredis.SetArgs{Mode: "NX", TTL: kept}).Err(); err != nil && !errors.Is(err, goredis.Nil) {
		return nil, fmt.Errorf("store the salt of a day: %w", err)
	}
	shared, err := d.redis.Get(ctx, name).Bytes()
	if err != nil {
		return nil, fmt.Errorf("read the salt of a day: %w", err)
	}
	return shared, nil
}
