package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// redisLevel is the level in Redis. A key is the hash {v: version, b: body, e: epoch}. The epoch of a group is a random text
// under a key of its own; an entry of another epoch is a miss.
type redisLevel struct {
	options  Options
	client   *platformredis.Client
	outage   platformredis.Outage
	logger   *slog.Logger
	failures prometheus.Counter
	// doubtUntil is when the entries have expired that an invalidation of this process could not replace. Until then it does not
	// read Redis, or it would see its own changes undone.
	doubtUntil atomic.Int64
}

func (l *redisLevel) name(ctx context.Context, key string) (string, error) {
	return l.client.Key(ctx, l.options.Name+":"+key)
}

func (l *redisLevel) epochName(ctx context.Context, group string) (string, error) {
	return l.client.Key(ctx, l.options.Name+":epoch:"+group)
}

// get returns the entry of a key. If there is none, it still returns the epoch of the group.
func (l *redisLevel) get(ctx context.Context, key Key) (found stored, ok bool) {
	if l.outage.Ongoing() || clock() < l.doubtUntil.Load() {
		return stored{}, false
	}
	name, err := l.name(ctx, key.Name)
	var fields *redis.SliceCmd
	var left *redis.DurationCmd
	var epoch *redis.StringCmd
	if err == nil {
		_, err = l.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			fields, left = pipe.HMGet(ctx, name, "v", "b", "e"), pipe.PTTL(ctx, name)
			if key.Group == "" {
				return nil
			}
			group, err := l.epochName(ctx, key.Group)
			epoch = pipe.Get(ctx, group)
			return err
		})
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		l.failed(ctx, "read", err)
		return stored{}, false
	}
	if epoch != nil {
		found.epoch = epoch.Val()
	}
	found.left = left.Val()
	found.entry, ok = decode(fields.Val(), found.epoch)
	return found, ok && found.left > 0
}

// decode parses the reply of HMGET. It treats anything unexpected as a miss, because another release may have written it.
func decode(fields []any, epoch string) (Entry, bool) {
	if len(fields) != 3 {
		return Entry{}, false
	}
	v, okVersion := fields[0].(string)
	b, okBody := fields[1].(string)
	e, okEpoch := fields[2].(string)
	version, err := strconv.ParseInt(v, 10, 64)
	return Entry{Version: version, Body: []byte(b)}, okVersion && okBody && okEpoch && e == epoch && err == nil
}

// setNewer stores an entry unless Redis holds a newer version.
var setNewer = redis.NewScript(`
local present = tonumber(redis.call('HGET', KEYS[1], 'v') or '-1')
if present > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'b', ARGV[2], 'e', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`)

// put stores what a change has committed.
func (l *redisLevel) put(ctx context.Context, key Key, e Entry) {
	if !l.store(ctx, key, e, "") {
		l.doubt()
	}
}

// store stores an entry that was computed under an epoch of its group. A group without an epoch gets none stored: an entry that
// began before the first change could not be told from a later one.
func (l *redisLevel) store(ctx context.Context, key Key, e Entry, epoch string) bool {
	if key.Group != "" && epoch == "" {
		l.begin(ctx, key.Group)
		return false
	}
	if l.outage.Ongoing() {
		return false
	}
	name, err := l.name(ctx, key.Name)
	if err == nil {
		err = setNewer.Run(ctx, l.client, []string{name}, e.Version, e.Body, varied(l.options.RedisTTL).Milliseconds(), epoch).Err()
	}
	if err != nil {
		l.failed(ctx, "write", err)
	}
	return err == nil
}

// begin gives a group its first epoch, so that the next computation can be stored.
func (l *redisLevel) begin(ctx context.Context, group string) {
	if l.outage.Ongoing() {
		return
	}
	name, err := l.epochName(ctx, group)
	if err == nil {
		err = l.client.SetNX(ctx, name, rand.Text(), 0).Err()
	}
	if err != nil {
		l.failed(ctx, "begin an epoch", err)
	}
}

// renew gives a group a new epoch, which makes its entries unreachable.
func (l *redisLevel) renew(ctx context.Context, group string) {
	if l.outage.Ongoing() {
		l.doubt()
		return
	}
	name, err := l.epochName(ctx, group)
	if err == nil {
		err = l.client.Set(ctx, name, rand.Text(), 0).Err()
	}
	if err != nil {
		l.failed(ctx, "invalidate", err)
		l.doubt()
	}
}

func (l *redisLevel) doubt() { l.doubtUntil.Store(clock() + int64(l.options.RedisTTL+time.Second)) }

// failed records that Redis did not answer. The caller continues without it.
func (l *redisLevel) failed(ctx context.Context, what string, err error) {
	l.failures.Inc()
	if errors.Is(err, context.Canceled) {
		return // the caller canceled; Redis may be fine
	}
	l.outage.Begin()
	l.logger.WarnContext(ctx, "cache without Redis", "cache", l.options.Name, "during", what, "err", fmt.Errorf("redis: %w", err))
}
