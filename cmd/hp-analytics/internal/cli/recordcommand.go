package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// The actions that the audit log has of commands which consist of many transactions, or change what is in Redis. They are recorded
// before the work, so that no work is without a row.
const (
	rebuildBegun   = "rebuild.begun"
	reconcileBegun = "reconcile.begun"
	queueAction    = "queue." // and the name of the command
)

// recordCommand adds a command on the rollups to the audit log, in the project with a slug, or, for "", in all.
func recordCommand(ctx context.Context, pool *pgxpool.Pool, action, project string, details audit.Details) error {
	return recordEntry(ctx, pool, project, audit.Entry{Action: action, Subject: "rollups", Details: details})
}

// recordEntry adds what a command does to the audit log, in the project with a slug, or, for "", in all.
func recordEntry(ctx context.Context, pool *pgxpool.Pool, project string, entry audit.Entry) error {
	ctx = audit.WithCommand(ctx)
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if project != "" {
			err := tx.QueryRow(ctx, `SELECT id FROM auth.projects WHERE slug = $1`, project).Scan(&entry.Project)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // the command says that there is no such project
			}
			if err != nil {
				return fmt.Errorf("find a project: %w", err)
			}
		}
		return audit.Record(ctx, tx, entry)
	})
}
