package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// SetSigningSecret stores the secret with which a service signs its webhooks to the address with a key. It returns NotFound for a key of
// another kind, or of another project, or one that is revoked.
func (s Store) SetSigningSecret(ctx context.Context, project int16, id uuid.UUID, secret string) error {
	const update = `
		UPDATE auth.api_keys
		SET signing_secret = $3
		WHERE project = $1 AND id = $2 AND kind IN ('shopify', 'stripe') AND revoked_at IS NULL`
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, update, project, id, secret)
		if err != nil {
			return fmt.Errorf("set a signing secret: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errs.New(errs.NotFound, "unknown_api_key", "The project has no key of webhooks with this id, or it is revoked.")
		}
		return audit.Record(ctx, tx, audit.Entry{Action: keySigningSecretSet, Project: project, Subject: keySubject(id)})
	})
	return postgres.Classify(err)
}
