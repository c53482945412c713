package cache

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

const (
	// pulse is how often the process makes sure that its subscription is alive. A connection that is dead without a sign is
	// noticed within two of them.
	pulse = time.Second
	// retryPause is the time between two attempts to subscribe.
	retryPause = 200 * time.Millisecond
	// everything is the message that invalidates all keys.
	everything = "*"
	// ofGroup begins the name of a group in a message.
	ofGroup = "@"
)

// bus carries invalidations between the processes that share a Redis, by its publish and subscribe. A message is its sender and a
// list of keys and groups, one a line.
type bus struct {
	cache  *Cache
	client *platformredis.Client
	logger *slog.Logger

	sender    string // begins the messages of this process
	listening atomic.Bool
	heard     atomic.Uint64 // grows whenever messages may have been missed
	owed      atomic.Bool   // a message could not be sent: the others have to drop everything
}

// Run receives the invalidations of other processes until ctx ends.
func (c *Cache) Run(ctx context.Context) {
	for ctx.Err() == nil {
		channel, err := c.bus.channel(ctx)
		if err == nil {
			err = c.bus.listen(ctx, channel)
		}
		if c.bus.listening.Swap(false) && ctx.Err() == nil {
			c.bus.logger.WarnContext(ctx, "cache without messages about changes", "cache", c.options.Name, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

func (b *bus) channel(ctx context.Context) (string, error) {
	return b.client.Key(ctx, b.cache.options.Name+":changes")
}

// listen subscribes and handles messages until the connection fails.
func (b *bus) listen(ctx context.Context, channel string) error {
	subscription := b.client.Subscribe(ctx, channel)
	defer subscription.Close() //nolint:errcheck // nothing is pending
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(ctx, pulse)
		timeout, ok := errors.AsType[net.Error](err)
		switch {
		case err == nil:
			asked = false
			b.handle(message)
		case !ok || !timeout.Timeout() || asked || ctx.Err() != nil:
			return err
		default:
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
			asked = true
		}
		if b.owed.Swap(false) {
			b.publish(ctx, everything)
		}
	}
}

func (b *bus) handle(message any) {
	switch m := message.(type) {
	case *redis.Subscription:
		// Nothing was heard before. What was stored meanwhile may be from before a change.
		b.heard.Add(1)
		b.listening.Store(true)
	case *redis.Message:
		sender, lines, _ := strings.Cut(m.Payload, "\n")
		for line := range strings.SplitSeq(lines, "\n") {
			if sender != b.sender {
				b.apply(line)
			}
		}
	}
}

func (b *bus) apply(line string) {
	if line == everything {
		b.heard.Add(1)
		return
	}
	if group, ok := strings.CutPrefix(line, ofGroup); ok {
		b.cache.group(group).Add(1)
		return
	}
	b.cache.fence(Key{Name: line}).Add(1)
}

// Announce tells the other processes to drop what they hold of keys after Put.
func (c *Cache) Announce(ctx context.Context, keys []Key) {
	if c.options.Off {
		return
	}
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = key.Name
		if key.Group != "" {
			lines[i] = ofGroup + key.Group
		}
	}
	c.bus.publish(ctx, strings.Join(lines, "\n"))
}

func (b *bus) publish(ctx context.Context, message string) {
	if b.cache.level.outage.Ongoing() {
		b.owed.Store(true)
		return
	}
	channel, err := b.channel(ctx)
	if err == nil {
		err = b.client.Publish(ctx, channel, b.sender+"\n"+message).Err()
	}
	if err != nil {
		b.owed.Store(true)
		b.cache.level.failed(ctx, "announce", err)
	}
}
