package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/share"
)

// mayShare is true of the account u if it may share reports of the project s.project.
const mayShare = `u.disabled_at IS NULL AND (u.role = 'admin' OR EXISTS (
	SELECT FROM auth.members m WHERE m.project = s.project AND m.user_id = u.id AND m.role IN ('owner', 'analyst')))`

// CreateShareLink stores a link by the hashes of its secret and of its reading key. It returns Forbidden if the maker may not share
// reports of the project at this moment.
func (s Store) CreateShareLink(ctx context.Context, secret string, maker authn.Principal, l share.Link) (share.Link, error) {
	const insert = `
		INSERT INTO auth.share_links (id, project, name, report, secret_hash, key_hash, password_hash, owner, expires_at)
		SELECT $1, s.project, $3, $4, $5, $6, $7, u.id, $9
		FROM (VALUES ($2::smallint)) s (project)
		JOIN auth.users u ON u.id = $8
		WHERE ` + mayShare + `
		RETURNING created_at, expires_at`
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, insert, l.ID, maker.Project.ID, l.Name, l.Report, authn.HashKey(secret),
			authn.HashKey(authn.LinkKey(secret, l.PasswordHash)), l.PasswordHash, maker.Subject, l.ExpiresAt).Scan(&l.CreatedAt, &l.ExpiresAt)
		if err != nil {
			return fmt.Errorf("insert a share link: %w", err)
		}
		details := audit.Details{"name": l.Name, "report": l.Report, "protected": l.PasswordHash != "", "expires_at": l.ExpiresAt.UTC()}
		return audit.Record(ctx, tx, audit.Entry{Action: shareLinkCreated, Project: maker.Project.ID, Subject: shareLinkSubject(l.ID), Details: details})
	})
	err = postgres.Classify(err)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.Forbidden, "forbidden", "The account may not share reports of this project any more.").Because(err)
	}
	return l, err
}

const shareLinkColumns = `s.id, s.name, s.report, s.password_hash, p.name, u.email, NOT (` + mayShare + `), s.created_at, s.expires_at, s.revoked_at`

func scanShareLink(row pgx.CollectableRow) (l share.Link, err error) {
	return l, row.Scan(&l.ID, &l.Name, &l.Report, &l.PasswordHash, &l.ProjectName, &l.Account, &l.Stopped, &l.CreatedAt, &l.ExpiresAt, &l.RevokedAt)
}

// ShareLinks lists the links of a project, newest first, at most limit, and those that ended within the last 30 days with them.
func (s Store) ShareLinks(ctx context.Context, project int16, limit int) ([]share.Link, error) {
	const query = `
		SELECT ` + shareLinkColumns + `
		FROM auth.share_links s
		JOIN auth.projects p ON p.id = s.project
		JOIN auth.users u ON u.id = s.owner
		WHERE s.project = $1
		ORDER BY s.created_at DESC, s.id DESC
		LIMIT $2`
	return s.shareLinks(ctx, query, project, limit)
}

// ShareLink returns the link with a secret, or NotFound if there is none, it is revoked, or its maker may not share any more. An expired
// link is found.
func (s Store) ShareLink(ctx context.Context, secret string) (share.Link, error) {
	const query = `
		SELECT ` + shareLinkColumns + `
		FROM auth.share_links s
		JOIN auth.projects p ON p.id = s.project
		JOIN auth.users u ON u.id = s.owner
		WHERE s.secret_hash = $1 AND s.revoked_at IS NULL AND ` + mayShare
	links, err := s.shareLinks(ctx, query, authn.HashKey(secret))
	if err == nil && len(links) == 0 {
		err = errs.New(errs.NotFound, "unknown_share_link", "This link does not work any more: it was revoked, or it is not complete. Ask whoever sent it.")
	}
	if err != nil {
		return share.Link{}, err
	}
	return links[0], nil
}

func (s Store) shareLinks(ctx context.Context, query string, args ...any) ([]share.Link, error) {
	rows, err := s.Pool.Query(ctx, query, args...)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read share links: %w", err))
	}
	links, err := pgx.CollectRows(rows, scanShareLink)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read share links: %w", err))
	}
	return links, nil
}

// RevokeShareLink revokes a link of a project. It is idempotent, and returns NotFound for an unknown link.
func (s Store) RevokeShareLink(ctx context.Context, project int16, id uuid.UUID) error {
	const revoke = `
		WITH found AS (
			SELECT id, revoked_at FROM auth.share_links WHERE id = $1 AND project = $2 FOR UPDATE
		), changed AS (
			UPDATE auth.share_links s SET revoked_at = now() FROM found WHERE s.id = found.id AND found.revoked_at IS NULL RETURNING s.id
		)
		SELECT EXISTS (SELECT FROM found), EXISTS (SELECT FROM changed)`
	var found bool
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		var changed bool
		if err := tx.QueryRow(ctx, revoke, id, project).Scan(&found, &changed); err != nil {
			return fmt.Errorf("revoke a share link: %w", err)
		}
		if !changed {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Action: shareLinkRevoked, Project: project, Subject: shareLinkSubject(id)})
	})
	if err != nil {
		return postgres.Classify(err)
	}
	if !found {
		return errs.New(errs.NotFound, "unknown_share_link", "The project has no share link with this id.")
	}
	return nil
}

// PruneShareLinks deletes links that ended more than 30 days ago, and returns how many.
func (s Store) PruneShareLinks(ctx context.Context) (int64, error) {
	tag, err := s.Pool.Exec(ctx, `DELETE FROM auth.share_links WHERE least(revoked_at, expires_at) < now() - interval '30 days'`)
	if err != nil {
		return 0, postgres.Classify(fmt.Errorf("prune share links: %w", err))
	}
	return tag.RowsAffected(), nil
}
