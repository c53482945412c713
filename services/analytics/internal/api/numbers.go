package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
)

const (
	// numbersTTL is how long the numbers of a product or user are used without asking Postgres again: a SKU can move to
	// another product, and an anonymous id can join a user.
	numbersTTL = time.Second
	// findTimeout bounds the search for the numbers of one product or user.
	findTimeout = 5 * time.Second
	// maxNumbers bounds how many products and users are remembered.
	maxNumbers = 20_000
)

// Numbers finds which version tokens the answer about a product or user depends on. The tokens are those of numbers, and
// requests name products and users by texts. It is safe for concurrent use.
type Numbers struct {
	// Off finds the numbers for every request anew, for measurements.
	Off bool

	store  *postgres.Store
	fields *otter.Cache[string, []string]
}

// NewNumbers returns a finder on store.
func NewNumbers(store *postgres.Store) *Numbers {
	return &Numbers{
		store: store,
		fields: otter.Must(&otter.Options[string, []string]{
			MaximumSize:      maxNumbers,
			ExpiryCalculator: otter.ExpiryWriting[string, []string](numbersTTL),
		}),
	}
}

// Close stops the goroutine that removes expired entries.
func (n *Numbers) Close() { n.fields.StopAllGoroutines() }

// ofProduct returns the fields of a product of a project. An unknown product is a NotFound error.
func (n *Numbers) ofProduct(ctx context.Context, project int16, ref postgres.ProductRef) ([]string, error) {
	key := fmt.Sprintf("p:%d:%s", project, ref.ID)
	if ref.ID == uuid.Nil {
		key = fmt.Sprintf("s:%d:%s", project, ref.SKU)
	}
	return n.get(ctx, key, func(ctx context.Context) ([]string, error) {
		number, err := n.store.ProductNumber(ctx, project, ref)
		return []string{protocol.ProductField(number)}, err
	})
}

// ofUser returns the fields of a user of a project; none for an unknown one.
func (n *Numbers) ofUser(ctx context.Context, project int16, userID string) ([]string, error) {
	key := fmt.Sprintf("u:%d:%s", project, userID)
	return n.get(ctx, key, func(ctx context.Context) ([]string, error) {
		numbers, err := n.store.UserNumbers(ctx, project, userID)
		var fields []string
		seen := map[string]bool{}
		for _, number := range numbers {
			if field := protocol.UserField(number); !seen[field] {
				seen[field] = true
				fields = append(fields, field)
			}
		}
		return fields, err
	})
}

// get returns the remembered fields of key, or finds them. Others may wait for the same, so it does not end with the request
// that began it.
func (n *Numbers) get(ctx context.Context, key string, find func(context.Context) ([]string, error)) ([]string, error) {
	if n.Off {
		return find(ctx)
	}
	return n.fields.Get(ctx, key, otter.LoaderFunc[string, []string](func(ctx context.Context, _ string) ([]string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
		defer cancel()
		return find(ctx)
	}))
}

// token returns a text that changes when any of the fields does.
func (s *Server) token(ctx context.Context, fields []string) string {
	tokens := make([]string, len(fields))
	for i, field := range fields {
		tokens[i] = s.Versions.Token(ctx, field)
	}
	joined := strings.Join(tokens, "+")
	if len(tokens) < 2 {
		return joined
	}
	sum := sha256.Sum256([]byte(joined))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
