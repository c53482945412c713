// Package redis reads the version tokens that the aggregator publishes, so that cached answers go stale the moment their
// numbers change.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

const (
	// tokenTTL is how long a token is believed without asking Redis again; it is the delay of an invalidation.
	tokenTTL = 500 * time.Millisecond
	// maxTokens bounds the cache; there are fewer fields than that.
	maxTokens = 1024
)

// unknown stands in for a token that cannot be read. Answers cached under it live in this process only and for its
// short time only, because Redis, where they would live longer, is what is away.
const unknown = "-"

// Versions is safe for concurrent use.
type Versions struct {
	client redis.UniversalClient
	outage platformredis.Outage
	tokens *otter.Cache[string, string]
	logger *slog.Logger
}

// NewVersions returns a reader of version tokens.
func NewVersions(client redis.UniversalClient, logger *slog.Logger) *Versions {
	return &Versions{
		client: client,
		logger: logger,
		tokens: otter.Must(&otter.Options[string, string]{
			MaximumSize:      maxTokens,
			ExpiryCalculator: otter.ExpiryWriting[string, string](tokenTTL),
		}),
	}
}

// Close stops the goroutine that removes expired tokens.
func (v *Versions) Close() { v.tokens.StopAllGoroutines() }

// Token returns the version of what field stands for (see package protocol). It changes when the numbers do.
func (v *Versions) Token(ctx context.Context, field string) string {
	token, err := v.tokens.Get(ctx, field, otter.LoaderFunc[string, string](v.load))
	if err != nil {
		return unknown
	}
	return token
}

func (v *Versions) load(ctx context.Context, field string) (string, error) {
	if v.outage.Ongoing() {
		return unknown, nil
	}
	token, err := v.client.HGet(context.WithoutCancel(ctx), protocol.VersionsKey, field).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "0", nil // nothing published since Redis was last emptied
	case err != nil:
		v.outage.Begin()
		v.logger.WarnContext(ctx, "version tokens without Redis", "err", err)
		return unknown, nil
	}
	return token, nil
}
