package authn

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// PostgresKeys finds API keys in the schema of the auth service. Other services may read only the columns used here.
type PostgresKeys struct{ Pool *pgxpool.Pool }

var _ KeyStore = PostgresKeys{}

// FindKey implements KeyStore.
func (s PostgresKeys) FindKey(ctx context.Context, key string) (Principal, error) {
	const query = `
		SELECT id::text, coalesce(owner, id)::text, scopes
		FROM auth.api_keys
		WHERE key_hash = $1 AND revoked_at IS NULL`
	var p Principal
	if err := s.Pool.QueryRow(ctx, query, HashKey(key)).Scan(&p.KeyID, &p.Owner, &p.Scopes); err != nil {
		return Principal{}, postgres.Classify(fmt.Errorf("find an API key: %w", err))
	}
	return p, nil
}
