package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// The kinds of keys in the table auth.api_keys.
const (
	kindSecret = "secret"
	kindPublic = "public"
)

// The account that owns keys is locked first by all that make or revoke its keys, change its role, or disable it. So a key cannot be made
// with a right that is being taken away.
const (
	lockMaker = `SELECT FROM auth.users WHERE id = $1 FOR SHARE`
	// ownsProject is a statement after the lock, so it sees what the holder of the lock before has done to memberships.
	ownsProject = `
		SELECT EXISTS (
			SELECT FROM auth.users u
			WHERE id = $1 AND disabled_at IS NULL AND (role = 'admin' OR EXISTS (
				SELECT FROM auth.members m WHERE m.project = $2 AND m.user_id = u.id AND m.role = 'owner')))`
	lockOwner = `SELECT FROM auth.users WHERE id = (SELECT owner FROM auth.api_keys WHERE id = $1) FOR NO KEY UPDATE`
)

// CreateKey stores an API key of the project of its maker, by its hash. It acts for the same account as its maker, which may be a user or a key, and has no
// right that the maker does not have at this moment: otherwise CreateKey returns Forbidden, Invalid for an expiry after that
// of the maker, or Unauthenticated if the maker does not work any more.
func (s Store) CreateKey(ctx context.Context, key string, maker authn.Principal, k account.APIKey) (account.APIKey, error) {
	const insert = `
		INSERT INTO auth.api_keys (id, name, project, key_hash, prefix, scopes, unknown_products, delegate, owner, parent, expires_at,
			kind, origins, default_sku, events_per_minute, drop_bots, signing_secret)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, '')::uuid, $11, $12, $13, nullif($14, ''), nullif($15, 0), $16, $17)
		RETURNING created_at, expires_at`
	kind, public := kindSecret, authn.PublicKey{Origins: []string{}}
	signingSecret := ""
	switch {
	case k.Public != nil:
		kind, public = kindPublic, *k.Public
	case k.Hook != nil:
		kind, signingSecret = k.Hook.Service, k.Hook.Secret
	}
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		if k.ExpiresAt, err = checkMaker(ctx, tx, maker, k.KeyRequest); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, insert, k.ID, k.Name, maker.Project.ID, authn.HashKey(key), k.Prefix, k.Scopes, k.UnknownProducts, k.Delegate,
			maker.Owner, maker.KeyID, k.ExpiresAt, kind, public.Origins, public.DefaultSKU, public.EventsPerMinute, public.DropBots,
			signingSecret).Scan(&k.CreatedAt, &k.ExpiresAt)
		if err != nil {
			return fmt.Errorf("insert an API key: %w", err)
		}
		details := audit.Details{
			"name": k.Name, "scopes": k.Scopes, "delegate": k.Delegate, "unknown_products": k.UnknownProducts, "expires_at": k.ExpiresAt, "kind": kind,
		}
		if k.Public != nil {
			details["origins"] = public.Origins
		}
		return audit.Record(ctx, tx, audit.Entry{Action: keyCreated, Project: maker.Project.ID, Subject: keySubject(k.ID), Details: details})
	})
	if err != nil {
		return account.APIKey{}, postgres.Classify(err)
	}
	k.CreatedBy = maker.ID()
	return k, nil
}

// checkMaker checks that the maker has the rights of a key, locks them until tx ends, and returns when the key expires.
func checkMaker(ctx context.Context, tx pgx.Tx, maker authn.Principal, want account.KeyRequest) (*time.Time, error) {
	if _, err := tx.Exec(ctx, lockMaker, maker.Owner); err != nil {
		return nil, fmt.Errorf("lock the account of a maker of keys: %w", err)
	}
	var owns bool
	if err := tx.QueryRow(ctx, ownsProject, maker.Owner, maker.Project.ID).Scan(&owns); err != nil {
		return nil, fmt.Errorf("check the account of a maker of keys: %w", err)
	}
	if !owns {
		return nil, errs.New(errs.Forbidden, "forbidden", "The account is disabled, or no owner of the project, so it makes no API keys there.")
	}
	if maker.IsUser() {
		return want.ExpiresAt, nil
	}
	const find = `
		SELECT delegate, expires_at
		FROM auth.api_keys
		WHERE id = $1 AND 'admin' = ANY (scopes) AND revoked_at IS NULL AND coalesce(expires_at > now(), true)`
	var delegate bool
	var expires *time.Time
	err := tx.QueryRow(ctx, find, maker.KeyID).Scan(&delegate, &expires)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errs.New(errs.Unauthenticated, "invalid_api_key", "The API key is revoked or has expired.")
	case err != nil:
		return nil, fmt.Errorf("find the key that makes a key: %w", err)
	case !delegate && slices.Contains(want.Scopes, authn.ScopeAdmin):
		return nil, errs.New(errs.Forbidden, "delegation_required", "This key makes no keys with the scope admin, because it was made without `delegate`.")
	case expires != nil && want.ExpiresAt != nil && want.ExpiresAt.After(*expires):
		return nil, errs.New(errs.Invalid, "validation_failed", "The API key cannot be made like this.",
			errs.Field{Pointer: "/expires_at", Code: "after_maker", Detail: "The key that makes it expires earlier."})
	case want.ExpiresAt == nil:
		return expires, nil
	}
	return want.ExpiresAt, nil
}

// Keys lists the API keys of a project, newest first, or, for project 0, all.
func (s Store) Keys(ctx context.Context, project int16) ([]account.APIKey, error) {
	const query = `
		SELECT k.id, k.name, p.slug, k.prefix, k.scopes, k.unknown_products, k.delegate, coalesce('key:' || k.parent, 'user:' || k.owner, 'key:' || k.id),
		       coalesce(u.email, ''),
		       CASE WHEN u.disabled_at IS NOT NULL THEN 'disabled' WHEN u.role <> 'admin' AND m.role IS NULL THEN 'no owner' ELSE '' END,
		       k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
		       k.kind, k.signing_secret <> '', k.origins, coalesce(k.default_sku, ''), coalesce(k.events_per_minute, 0), k.drop_bots
		FROM auth.api_keys k
		JOIN auth.projects p ON p.id = k.project
		LEFT JOIN auth.users u ON u.id = k.owner
		LEFT JOIN auth.members m ON m.project = k.project AND m.user_id = k.owner AND m.role = 'owner'
		WHERE $1 = 0 OR k.project = $1
		ORDER BY k.created_at DESC, k.id DESC`
	rows, err := s.Pool.Query(ctx, query, project)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list API keys: %w", err))
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k account.APIKey, err error) {
		var kind string
		var public authn.PublicKey
		err = row.Scan(&k.ID, &k.Name, &k.Project, &k.Prefix, &k.Scopes, &k.UnknownProducts, &k.Delegate, &k.CreatedBy, &k.Account,
			&k.Stopped, &k.CreatedAt, &k.ExpiresAt, &k.LastUsedAt, &k.RevokedAt,
			&kind, &k.Signed, &public.Origins, &public.DefaultSKU, &public.EventsPerMinute, &public.DropBots)
		switch kind {
		case kindPublic:
			k.Public = &public
		case authn.Shopify, authn.Stripe:
			k.Hook = &authn.Hook{Service: kind}
		}
		return k, err
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list API keys: %w", err))
	}
	return keys, nil
}

// RevokeKey revokes an API key of a project, or, for project 0, of any, and all keys that were made with it, directly or not. It
// returns how many were not revoked before. It is idempotent, and returns NotFound for an unknown key.
func (s Store) RevokeKey(ctx context.Context, project int16, id uuid.UUID) (revoked int, err error) {
	const revoke = `
		WITH RECURSIVE family AS (
			SELECT id FROM auth.api_keys WHERE id = $1 AND ($2 = 0 OR project = $2)
			UNION ALL
			SELECT k.id FROM auth.api_keys k JOIN family ON k.parent = family.id
		), changed AS (
			UPDATE auth.api_keys SET revoked_at = now() WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL RETURNING id
		)
		SELECT EXISTS (SELECT FROM family), (SELECT count(*) FROM changed), coalesce((SELECT project FROM auth.api_keys WHERE id = $1), 0)`
	var found bool
	var in int16
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		// The statement after the lock sees every key that was made before it.
		if _, err := tx.Exec(ctx, lockOwner, id); err != nil {
			return fmt.Errorf("lock the owner of an API key: %w", err)
		}
		if err := tx.QueryRow(ctx, revoke, id, project).Scan(&found, &revoked, &in); err != nil {
			return fmt.Errorf("revoke API keys: %w", err)
		}
		if revoked == 0 {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Action: keyRevoked, Project: in, Subject: keySubject(id), Details: audit.Details{"revoked": revoked}})
	})
	if err != nil {
		return 0, postgres.Classify(err)
	}
	if !found {
		return 0, errs.New(errs.NotFound, "unknown_api_key", "There is no API key with this id.")
	}
	return revoked, nil
}
