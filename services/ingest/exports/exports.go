// Package exports reads the receipts of exports of users that the platform has kept, for the command that verifies a file.
package exports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
)

// Errors of a receipt that proves nothing.
var (
	ErrUnknown    = errors.New("the platform has kept no receipt of this export, so it does not come from this installation")
	ErrUnfinished = errors.New("the platform has recorded that this export was cut")
)

// Kept is a receipt with the project that it belongs to.
type Kept struct {
	exported.Receipt

	Project string // its slug
}

// Receipt returns the receipt that was kept of an export. The role of pool is hp_ingest.
func Receipt(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) (Kept, error) {
	const query = `
		SELECT p.slug, e.requested_by, e.snapshot_at, e.lines, e.counts, coalesce(encode(e.sha256, 'hex'), '')
		FROM ingest.exports AS e JOIN auth.projects AS p ON p.id = e.project
		WHERE e.id = $1`
	k := Kept{Receipt: exported.Receipt{ID: id}}
	var snapshot *time.Time // nil unless it is finished
	err := pool.QueryRow(ctx, query, id).Scan(&k.Project, &k.RequestedBy, &snapshot, &k.Lines, &k.Counts, &k.SHA256)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Kept{}, ErrUnknown
	case err != nil:
		return Kept{}, postgres.Classify(fmt.Errorf("read the receipt of an export: %w", err))
	case snapshot == nil:
		return Kept{}, ErrUnfinished
	}
	k.SnapshotAt = *snapshot
	return k, nil
}
