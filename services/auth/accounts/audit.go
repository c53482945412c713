package accounts

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/services/auth/internal/journal"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// AuditEntry is a row of the audit log.
type AuditEntry = journal.Entry

// AuditFilter says which rows of the audit log are read.
type AuditFilter = journal.Filter

// Audit calls yield with the rows of the audit log, newest first, until yield returns an error. It returns NotFound for
// an unknown project. The pool must act as hp_auth.
func Audit(ctx context.Context, pool *pgxpool.Pool, filter AuditFilter, yield func(AuditEntry) error) error {
	store := postgres.Store{Pool: pool}
	if filter.Project != "" {
		if _, err := store.Project(ctx, filter.Project); err != nil {
			return err
		}
	}
	var after *uuid.UUID
	for {
		page, err := store.Journal(ctx, filter, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, entry := range page {
			if err := yield(entry); err != nil {
				return err
			}
		}
		after = &page[len(page)-1].ID
	}
}
