// Package redis reads the version tokens that the aggregator publishes. They are part of cache keys, so cached answers become
// unreachable when their numbers change.
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
	// tokenTTL is how long a token is used without reading it from Redis again. It is the longest delay of an invalidation.
	tokenTTL = 500 * time.Millisecond
	// maxTokens bounds the cache. There are fewer fields (protocol.AllFields).
	maxTokens = 1024
)

// unknown replaces a token that cannot be read. Answers cached under it live only in this process and expire within a second,
// because they cannot be stored in Redis while Redis is away.
const unknown = "-"

// Versions reads version tokens through a cache. It is safe for concurrent use.
type Versions struct {
	client *platformredis.Client
	outage platformredis.Outage
	tokens *otter.Cache[string, string]
	logger *slog.Logger
}

// NewVersions returns a reader on client, which the caller closes.
func NewVersions(client *platformredis.Client, logger *slog.Logger) *Versions {
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

// Token returns the version token of a field (see package protocol). It changes when the numbers behind the field change.
func (v *Versions) Token(ctx context.Context, field string) string {
	token, err := v.tokens.Get(ctx, field, otter.LoaderFunc[string, string](v.load))
	if err != nil {
		return unknown
	}
	return token
}

// Unchanged reports whether the tokens of fields are those given, as far as the process knows without asking Redis. It waits for
// nothing.
func (v *Versions) Unchanged(fields, tokens []string) bool {
	for i, field := range fields {
		if token, ok := v.tokens.GetIfPresent(field); !ok || token != tokens[i] {
			return false
		}
	}
	return true
}

func (v *Versions) load(ctx context.Context, field string) (string, error) {
	if v.outage.Ongoing() {
		return unknown, nil
	}
	var token string
	key, err := v.client.Key(ctx, protocol.VersionsKey)
	if err == nil {
		token, err = v.client.HGet(context.WithoutCancel(ctx), key, field).Result()
	}
	switch {
	case errors.Is(err, redis.Nil):
		return "0", nil // nothing was published since Redis was last emptied
	case err != nil:
		v.outage.Begin()
		v.logger.WarnContext(ctx, "version tokens cannot be read", "err", err)
		return unknown, nil
	}
	return token, nil
}
