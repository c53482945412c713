// Package redis publishes version tokens, which invalidate the cached answers of analytics.
package redis

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Versions publishes version tokens.
type Versions struct{ Client redis.UniversalClient }

// Fields are the fields of protocol.VersionsKey that need a new token.
type Fields map[string]struct{}

// Note adds the fields that depend on a changed rollup row: of a product, of a user, or, with neither, of a day.
func (f Fields) Note(product, user *string) {
	f[protocol.TopField] = struct{}{}
	if product != nil {
		f[protocol.ProductField(*product)] = struct{}{}
	}
	if user != nil {
		f[protocol.UserField(*user)] = struct{}{}
	}
}

// Publish gives every product and user in deltas a new version token, in one command. It is best effort: if it is lost,
// cached answers live until they expire.
func (v Versions) Publish(ctx context.Context, deltas *rollup.Deltas) error {
	fields := Fields{}
	for key := range deltas.Products() {
		product := key.ProductID.String()
		fields.Note(&product, nil)
	}
	for key := range deltas.Users() {
		fields.Note(nil, &key.UserID)
	}
	return v.PublishFields(ctx, fields)
}

// PublishFields gives fields a new version token, in one command.
func (v Versions) PublishFields(ctx context.Context, fields Fields) error {
	if len(fields) == 0 {
		return nil
	}
	token := rand.Text()
	tokens := make(map[string]string, len(fields))
	for field := range fields {
		tokens[field] = token
	}
	if err := v.Client.HSet(ctx, protocol.VersionsKey, tokens).Err(); err != nil {
		return fmt.Errorf("publish version tokens: %w", err)
	}
	return nil
}

// PublishAll gives every field a new version token.
func (v Versions) PublishAll(ctx context.Context) error {
	fields := Fields{}
	for _, field := range protocol.AllFields() {
		fields[field] = struct{}{}
	}
	return v.PublishFields(ctx, fields)
}
