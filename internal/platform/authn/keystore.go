package authn

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// PostgresKeys finds API keys in the schema of the auth service. Other services may use only the columns used here.
type PostgresKeys struct{ Pool *pgxpool.Pool }

var _ KeyStore = PostgresKeys{}

// FindKey implements KeyStore. It also records that the key is used, once a minute, unless Postgres is read-only.
func (s PostgresKeys) FindKey(ctx context.Context, key string) (Key, error) {
	// The keys of an account that is disabled or no admin any more do not work: a key has no right that its maker does not have.
	const query = `
		SELECT id::text, coalesce(owner, id)::text, scopes, expires_at - now(),
		       (last_used_at IS NULL OR last_used_at < now() - interval '1 minute') AND current_setting('transaction_read_only') = 'off'
		FROM auth.api_keys k
		WHERE key_hash = $1 AND revoked_at IS NULL
		  AND NOT EXISTS (SELECT FROM auth.users WHERE id = k.owner AND (role <> 'admin' OR disabled_at IS NOT NULL))`
	asked := time.Now()
	var k Key
	var left *time.Duration
	var record bool
	err := s.Pool.QueryRow(ctx, query, HashKey(key)).Scan(&k.KeyID, &k.Owner, &k.Scopes, &left, &record)
	if err != nil {
		return Key{}, postgres.Classify(fmt.Errorf("find an API key: %w", err))
	}
	if left != nil {
		k.Expires = asked.Add(*left)
	}
	if record {
		s.recordUse(ctx, k.KeyID)
	}
	return k, nil
}

// recordTimeout bounds the wait of a look-up for recordUse.
const recordTimeout = 200 * time.Millisecond

// recordUse sets the time of a key's last use. It waits neither for others that change the key nor for a synchronous standby,
// whose wait no statement_timeout ends. It may fail, because the request must not depend on it: a later look-up tries again.
func (s PostgresKeys) recordUse(ctx context.Context, id string) {
	const update = `
		UPDATE auth.api_keys
		SET last_used_at = now()
		WHERE id = (SELECT id FROM auth.api_keys WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
		  AND set_config('synchronous_commit', 'off', true) = 'off' -- of this transaction only`
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	_, _ = s.Pool.Exec(ctx, update, id)
}
