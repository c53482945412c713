// Package redis publishes version tokens, which invalidate the cached answers of analytics.
package redis

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Versions publishes version tokens.
type Versions struct{ Client *redis.Client }

// Publish gives fields a new version token, in one command. It is best effort: if it is lost, cached answers live until
// they expire.
func (v Versions) Publish(ctx context.Context, fields rollup.Changed) error {
	if len(fields) == 0 {
		return nil
	}
	token := rand.Text()
	tokens := make(map[string]string, len(fields))
	for field := range fields {
		tokens[field] = token
	}
	key, err := v.Client.Key(ctx, protocol.VersionsKey)
	if err == nil {
		err = v.Client.HSet(ctx, key, tokens).Err()
	}
	if err != nil {
		return fmt.Errorf("publish version tokens: %w", err)
	}
	return nil
}

// PublishAll gives every field a new version token.
func (v Versions) PublishAll(ctx context.Context) error {
	fields := rollup.Changed{}
	for _, field := range protocol.AllFields() {
		fields[field] = struct{}{}
	}
	return v.Publish(ctx, fields)
}
