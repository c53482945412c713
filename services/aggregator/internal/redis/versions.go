// Package redis publishes what has changed, for the caches of analytics.
package redis

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/migrations/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Versions publishes version tokens.
type Versions struct{ Client redis.UniversalClient }

// Publish gives everything that deltas touched a new version token, in one command. Losing it is harmless: cached answers
// then live until their time is over.
func (v Versions) Publish(ctx context.Context, deltas *rollup.Deltas) error {
	if deltas.Empty() {
		return nil
	}
	token := rand.Text()
	tokens := map[string]string{protocol.TopField: token}
	for key := range deltas.Products() {
		tokens[protocol.ProductField(key.ProductID.String())] = token
	}
	for key := range deltas.Users() {
		tokens[protocol.UserField(key.UserID)] = token
	}
	if err := v.Client.HSet(ctx, protocol.VersionsKey, tokens).Err(); err != nil {
		return fmt.Errorf("publish version tokens: %w", err)
	}
	return nil
}
