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
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

const (
	// kept is how long Redis keeps a salt: until a day after its own is over, for clocks that differ.
	kept = 48 * time.Hour
	// timeout bounds the requests to Redis for a salt.
	timeout = time.Second
	// offered is how often each process offers its salt to Redis, so that a Redis that lost it has the same again.
	offered   = time.Minute
	saltBytes = 32
	// idBytes are kept of a hash: two of a billion visitors of a day have the same id with a chance of 1 to a billion.
	idBytes = 16
)

// Days makes ids. It is safe for concurrent use.
type Days struct {
	redis  *redis.Client
	logger *slog.Logger
	outage redis.Outage

	now func() time.Time

	asking  sync.Mutex // held by the caller who asks Redis
	current atomic.Pointer[salt]
}

// salt is that of a day.
type salt struct {
	day   string // in UTC
	bytes []byte
	due   time.Time // when it is offered to Redis again
}

// New returns a maker of ids.
func New(client *redis.Client, logger *slog.Logger) *Days {
	return &Days{redis: client, logger: logger, now: time.Now}
}

// ID returns the id of the visitor of the pages of a key who sends from a network with a browser (its User-Agent). While Redis is away, each
// process takes a salt of its own for the day, so a visitor may count once for each.
func (d *Days) ID(ctx context.Context, key, network, browser string) string {
	mac := hmac.New(sha256.New, d.saltOf(ctx))
	for _, part := range []string{key, network, browser} {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return "day-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:idBytes])
}

// saltOf returns the salt of the day. Callers wait for the first one of the day, who asks Redis. Later nobody waits but the one who offers.
func (d *Days) saltOf(ctx context.Context) []byte {
	now := d.now()
	day := now.UTC().Format(time.DateOnly)
	if s := d.current.Load(); s != nil && s.day == day {
		if now.Before(s.due) || d.outage.Ongoing() || !d.asking.TryLock() {
			return s.bytes
		}
	} else {
		d.asking.Lock()
	}
	defer d.asking.Unlock()
	s := d.current.Load()
	if s == nil || s.day != day {
		s = &salt{day: day, bytes: make([]byte, saltBytes)}
		_, _ = rand.Read(s.bytes) // never fails
	} else if now.Before(s.due) || d.outage.Ongoing() {
		return s.bytes // another caller has just asked
	}
	next := &salt{day: day, bytes: s.bytes, due: now} // during an outage it is offered again as soon as that may be over
	if shared, err := d.share(ctx, day, s.bytes); err == nil {
		next.bytes, next.due = shared, now.Add(offered)
	} else {
		d.outage.Begin()
		d.logger.WarnContext(ctx, "visitors of a day are told apart by each process on its own, because Redis does not answer", "err", err)
	}
	d.current.Store(next)
	return next.bytes
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
