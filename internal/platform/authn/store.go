package authn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Postgres finds API keys, projects and memberships in the schema of the auth service. Other services may use only the columns
// used here.
type Postgres struct {
	Pool  *pgxpool.Pool
	zones sync.Map // time zones by name: there are some hundred, and projects share them
}

// NewPostgres returns a store that reads with pool.
func NewPostgres(pool *pgxpool.Pool) *Postgres { return &Postgres{Pool: pool} }

var _ Store = (*Postgres)(nil)

// projectColumns are the columns of a projectRow.
const projectColumns = `p.id, p.slug, p.time_zone, p.currency, p.week_start, coalesce(p.max_event_age_days, 0), coalesce(p.events_per_second, 0), p.archived_at IS NOT NULL`

// projectRow is a project as it is stored.
type projectRow struct {
	Project

	zone            string
	weekStart, days int
}

func (r *projectRow) targets() []any {
	return []any{&r.ID, &r.Slug, &r.zone, &r.Currency, &r.weekStart, &r.days, &r.EventsPerSecond, &r.Archived}
}

// project returns the project of a row that was scanned.
func (s *Postgres) project(r projectRow) (Project, error) {
	zone, ok := s.zones.Load(r.zone)
	if !ok {
		loaded, err := localtime.Load(r.zone)
		if err != nil {
			return Project{}, fmt.Errorf("the time zone of the project %s: %w", r.Slug, err)
		}
		zone, _ = s.zones.LoadOrStore(r.zone, loaded)
	}
	p := r.Project
	p.Zone, _ = zone.(*time.Location)
	p.WeekStart = time.Weekday(r.weekStart % 7) // ISO 8601 counts Sunday as 7
	p.MaxEventAge = time.Duration(r.days) * 24 * time.Hour
	return p, nil
}

// Named implements ProjectStore.
func (s *Postgres) Named(ctx context.Context, user, slug string) (Membership, error) {
	const query = `
		SELECT coalesce(m.role, ''), ` + projectColumns + `
		FROM auth.projects p
		LEFT JOIN auth.members m ON m.project = p.id AND m.user_id = nullif($1, '')::uuid
		WHERE p.slug = $2`
	place, err := s.membership(s.Pool.QueryRow(ctx, query, user, slug))
	if err != nil {
		return Membership{}, postgres.Classify(fmt.Errorf("find a project: %w", err))
	}
	return place, nil
}

// Memberships implements ProjectStore.
func (s *Postgres) Memberships(ctx context.Context, user string, limit int) ([]Membership, error) {
	const query = `
		WITH mine AS (SELECT project, role FROM auth.members WHERE user_id = nullif($1, '')::uuid)
		SELECT m.role, ` + projectColumns + `
		FROM (SELECT project, role FROM mine UNION ALL SELECT $2::smallint, '' WHERE NOT EXISTS (SELECT FROM mine)) m
		JOIN auth.projects p ON p.id = m.project
		ORDER BY p.slug
		LIMIT $3`
	rows, err := s.Pool.Query(ctx, query, user, DefaultProject, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("find memberships: %w", err))
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Membership, error) { return s.membership(row) })
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("find memberships: %w", err))
	}
	return places, nil
}

func (s *Postgres) membership(row pgx.Row) (m Membership, err error) {
	var r projectRow
	if err := row.Scan(append([]any{&m.Role}, r.targets()...)...); err != nil {
		return Membership{}, err
	}
	m.Project, err = s.project(r)
	return m, err
}

const (
	// keyWorks is true of the key k with the hash $1 in the project p if it works. A key has no right that its maker does not have: it
	// does not work while its account is disabled, or neither an admin nor an owner of the project. Nor does it in an archived project.
	keyWorks = `k.key_hash = $1 AND k.revoked_at IS NULL AND p.archived_at IS NULL
		  AND NOT EXISTS (
			SELECT FROM auth.users u
			WHERE u.id = k.owner AND (u.disabled_at IS NOT NULL OR u.role <> 'admin' AND NOT EXISTS (
				SELECT FROM auth.members m WHERE m.project = k.project AND m.user_id = u.id AND m.role = 'owner')))`
	// keyUnrecorded is true if the use of the key k is to be recorded.
	keyUnrecorded = `(k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute') AND current_setting('transaction_read_only') = 'off'`
)

// FindKey implements KeyStore. It also records that the key is used, once a minute, unless Postgres is read-only.
func (s *Postgres) FindKey(ctx context.Context, key string) (Key, error) {
	const query = `
		SELECT k.id::text, coalesce(k.owner, k.id)::text, k.scopes, k.unknown_products = 'create', k.expires_at - now(),
		       k.kind = 'public', k.origins, coalesce(k.default_sku, ''), coalesce(k.events_per_minute, 0), k.drop_bots,
		       ` + keyUnrecorded + `, ` + projectColumns + `
		FROM auth.api_keys k
		JOIN auth.projects p ON p.id = k.project
		WHERE k.kind IN ('secret', 'public') AND ` + keyWorks
	asked := time.Now()
	var k Key
	var r projectRow
	var left *time.Duration
	var public, record bool
	var page PublicKey
	targets := append([]any{
		&k.KeyID, &k.Owner, &k.Scopes, &k.CreateProducts, &left, &public, &page.Origins, &page.DefaultSKU, &page.EventsPerMinute, &page.DropBots, &record,
	}, r.targets()...)
	err := s.Pool.QueryRow(ctx, query, HashKey(key)).Scan(targets...)
	if err == nil {
		k.Project, err = s.project(r)
	}
	if err != nil {
		return Key{}, postgres.Classify(fmt.Errorf("find an API key: %w", err))
	}
	if public {
		k.Public = &page
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
func (s *Postgres) recordUse(ctx context.Context, id string) {
	const update = `
		UPDATE auth.api_keys
		SET last_used_at = now()
		WHERE id = (SELECT id FROM auth.api_keys WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
		  AND set_config('synchronous_commit', 'off', true) = 'off' -- of this transaction only`
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	_, _ = s.Pool.Exec(ctx, update, id)
}
