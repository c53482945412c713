package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

// exportColumns are what exportOf scans.
const exportColumns = ` id, requested_by, requested_at, snapshot_at, finished_at, lines, counts, coalesce(encode(sha256, 'hex'), '') `

// CheckExport returns nil if a user is known or was erased, or else NotFound.
func (s *Store) CheckExport(ctx context.Context, r userexport.Request) error {
	err := postgres.InTx(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		sub, err := findSubject(ctx, tx, r)
		if err != nil || sub.person != 0 {
			return err
		}
		erasures, err := erasuresOf(ctx, tx, r.Project, []erasedID{{r.Subject, r.Anonymous}})
		if err == nil && len(erasures) == 0 {
			err = errs.New(errs.NotFound, "not_found", "There is no user with this id.")
		}
		return err
	})
	return postgres.Classify(err)
}

// BeginExport records who exports a user, and returns the id of the export. The log is kept, so it names the export and not the user.
func (s *Store) BeginExport(ctx context.Context, r userexport.Request) (uuid.UUID, error) {
	id := uuid.Must(uuid.NewV7())
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		const insert = `INSERT INTO ingest.exports (project, id, requested_by) VALUES ($1, $2, $3)`
		if _, err := tx.Exec(ctx, insert, r.Project, id, r.By); err != nil {
			return fmt.Errorf("record an export: %w", err)
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "user.exported", Project: r.Project, Subject: "export:" + id.String()})
	})
	return id, postgres.Classify(err)
}

// FinishExport records that all lines of an export were written but the receipt.
func (s *Store) FinishExport(ctx context.Context, project int16, r exported.Receipt) error {
	sum, err := hex.DecodeString(r.SHA256)
	if err != nil {
		return fmt.Errorf("the sum of an export: %w", err)
	}
	const update = `
		UPDATE ingest.exports SET snapshot_at = $3, finished_at = now(), lines = $4, counts = $5, sha256 = $6
		WHERE project = $1 AND id = $2`
	if _, err := s.pool.Exec(ctx, update, project, r.ID, r.SnapshotAt, r.Lines, r.Counts, sum); err != nil {
		return postgres.Classify(fmt.Errorf("record the end of an export: %w", err))
	}
	return nil
}

func exportOf(row pgx.Row) (r userexport.Receipt, err error) {
	err = row.Scan(&r.ID, &r.RequestedBy, &r.RequestedAt, &r.SnapshotAt, &r.FinishedAt, &r.Lines, &r.Counts, &r.SHA256)
	for _, at := range []*time.Time{&r.RequestedAt, r.SnapshotAt, r.FinishedAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return r, err
}

// Export returns the receipt of an export of a user, or NotFound.
func (s *Store) Export(ctx context.Context, project int16, id uuid.UUID) (userexport.Receipt, error) {
	const query = `SELECT` + exportColumns + `FROM ingest.exports WHERE project = $1 AND id = $2`
	receipt, err := exportOf(s.pool.QueryRow(ctx, query, project, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return userexport.Receipt{}, errs.New(errs.NotFound, "not_found", "There is no export with this id.")
	}
	if err != nil {
		return userexport.Receipt{}, postgres.Classify(fmt.Errorf("read an export: %w", err))
	}
	return receipt, nil
}

// Exports returns the receipts of a project, the latest first: those before an id, or all.
func (s *Store) Exports(ctx context.Context, project int16, before *uuid.UUID, limit int) ([]userexport.Receipt, error) {
	const query = `SELECT` + exportColumns + `FROM ingest.exports WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`
	rows, _ := s.pool.Query(ctx, query, project, before, limit) // CollectRows returns its error
	receipts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (userexport.Receipt, error) { return exportOf(row) })
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list exports: %w", err))
	}
	return receipts, nil
}
