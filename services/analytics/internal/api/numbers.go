package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
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

// about says whose numbers an answer has.
type about struct {
	name   string   // of the product or user, as Numbers remembers it; empty for a project
	fields []string // of the version tokens
}

func aboutProject(project int16) about {
	return about{fields: []string{protocol.ProjectField(project)}}
}

// product returns what an answer about a product of a project depends on. An unknown product is a NotFound error.
func (n *Numbers) product(ctx context.Context, project int16, ref postgres.ProductRef) (about, error) {
	name := fmt.Sprintf("p:%d:%s", project, ref.ID)
	if ref.ID == uuid.Nil {
		name = fmt.Sprintf("s:%d:%s", project, ref.SKU)
	}
	return n.get(ctx, name, func(ctx context.Context) ([]string, error) {
		number, err := n.store.ProductNumber(ctx, project, ref)
		return []string{protocol.ProductField(number)}, err
	})
}

// user returns what an answer about a user of a project depends on: nothing for an unknown one.
func (n *Numbers) user(ctx context.Context, project int16, userID string) (about, error) {
	name := fmt.Sprintf("u:%d:%s", project, userID)
	return n.get(ctx, name, func(ctx context.Context) ([]string, error) {
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

// get returns the remembered fields of a name, or finds them. Others may wait for the same, so it does not end with the request
// that began it.
func (n *Numbers) get(ctx context.Context, name string, find func(context.Context) ([]string, error)) (about, error) {
	if n.Off {
		fields, err := find(ctx)
		return about{name, fields}, err
	}
	fields, err := n.fields.Get(ctx, name, otter.LoaderFunc[string, []string](func(ctx context.Context, _ string) ([]string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
		defer cancel()
		return find(ctx)
	}))
	return about{name, fields}, err
}

// unchanged reports whether a name still stands for the same, as far as the process knows without asking Postgres.
func (n *Numbers) unchanged(a about) bool {
	fields, ok := n.fields.GetIfPresent(a.name)
	return ok && slices.Equal(fields, a.fields)
}

// tokens returns the version tokens of fields.
func (s *Server) tokens(ctx context.Context, fields []string) []string {
	tokens := make([]string, len(fields))
	for i, field := range fields {
		tokens[i] = s.Versions.Token(ctx, field)
	}
	return tokens
}

// joined returns a text that changes when the fields or any of their tokens do.
func joined(fields, tokens []string) string {
	var text strings.Builder
	for i, field := range fields {
		text.WriteString(field + "=" + tokens[i] + "+")
	}
	if len(tokens) < 2 {
		return text.String()
	}
	sum := sha256.Sum256([]byte(text.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
