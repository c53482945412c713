package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// listed is how many items a list of the state of the installation has at most.
const listed = 20

// System is what the database says of the installation.
type System struct {
	At       time.Time
	Postgres string // version of the server
	Schema   int

	Pending  Backlog
	Lanes    int       // held by a fold now
	Projects []Backlog // with the most pending rows
	Failed   Backlog
	Batches  []FailedBatch // the newest

	Reconciles   []Reconcile
	OpenErasures int
	Erasures     []Erasure // the oldest
	ZoneChanges  []ZoneChange

	Bytes  int64 // of the database
	Tables []Table
	Days   []Day
}

// Backlog is what waits, of a project or of all.
type Backlog struct {
	Project       string // empty: all
	Batches, Rows int64
	Oldest        *time.Time // nil if nothing waits
}

// FailedBatch is a batch that is set aside.
type FailedBatch struct {
	ID                   int64
	Project, Kind        string
	Rows                 int
	ReceivedAt, FailedAt time.Time
}

// Reconcile is the newest result of all days of a project.
type Reconcile struct {
	Project           string
	FinishedAt        time.Time
	Rows              int64
	Days, Differences int
}

// Erasure is one that is not done.
type Erasure struct {
	ID                    uuid.UUID
	Project, State, Phase string
	RequestedAt           time.Time
	HeldBy                int // failed batches
	Failing               bool
}

// ZoneChange is a change of a time zone that is not finished.
type ZoneChange struct {
	Project, From, To string
	Done, Total       int // days
	StartedAt         time.Time
	Failing           bool
}

// System reads the state of the installation, of all projects. It looks at partial indexes, small tables and the catalog of
// Postgres only.
func (s *Store) System(ctx context.Context) (state System, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = postgres.InTx(ctx, s.pool, options, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx) error{state.readBacklog, state.readLists, state.readWork, state.readStorage} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return System{}, postgres.Classify(fmt.Errorf("read the state of the installation: %w", err))
	}
	return state, nil
}

// readBacklog reads the figures that are one row.
func (s *System) readBacklog(ctx context.Context, tx pgx.Tx) error {
	const query = `
		SELECT now(), current_setting('server_version'), (SELECT version FROM public.schema_migrations),
			pending.*, failed.*,
			(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint >= $2 AND objsubid = 2
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
			(SELECT count(*) FROM ingest.open_erasures), pg_database_size(current_database())
		FROM (
			SELECT count(*), coalesce(sum(rows), 0)::bigint, min(received_at) FROM ingest.unfolded_batches WHERE NOT failed
		) AS pending, (
			SELECT count(*), coalesce(sum(rows), 0)::bigint FROM ingest.unfolded_batches WHERE failed
		) AS failed`
	lane := locks.Lane(0)
	return tx.QueryRow(ctx, query, int64(lane.Class()), int64(lane.ID())).Scan(&s.At, &s.Postgres, &s.Schema,
		&s.Pending.Batches, &s.Pending.Rows, &s.Pending.Oldest, &s.Failed.Batches, &s.Failed.Rows, &s.Lanes, &s.OpenErasures, &s.Bytes)
}

// readLists reads what is pending and failed of each project.
func (s *System) readLists(ctx context.Context, tx pgx.Tx) (err error) {
	const pending = `
		SELECT p.slug, count(*), sum(b.rows)::bigint, min(b.received_at)
		FROM ingest.unfolded_batches AS b JOIN auth.projects AS p ON p.id = b.project
		WHERE NOT b.failed GROUP BY p.slug ORDER BY 3 DESC, 1 LIMIT $1`
	if s.Projects, err = collect[Backlog](ctx, tx, pending); err != nil {
		return err
	}
	const failed = `
		SELECT b.id, p.slug, b.kind, b.rows, b.received_at, b.failed_at
		FROM ingest.batches AS b JOIN auth.projects AS p ON p.id = b.project
		WHERE b.aggregated_at IS NULL AND b.failed_at IS NOT NULL ORDER BY b.id DESC LIMIT $1`
	s.Batches, err = collect[FailedBatch](ctx, tx, failed)
	return err
}

// readWork reads the results of reconciles, and what goes on.
func (s *System) readWork(ctx context.Context, tx pgx.Tx) (err error) {
	const reconciles = `
		SELECT p.slug, r.finished_at, r.rows, r.days, r.differences
		FROM auth.projects AS p JOIN LATERAL (
			SELECT * FROM stats.reconciles WHERE project = p.id AND from_day IS NULL AND to_day IS NULL ORDER BY id DESC LIMIT 1
		) AS r ON true
		ORDER BY r.finished_at DESC, p.slug LIMIT $1`
	if s.Reconciles, err = collect[Reconcile](ctx, tx, reconciles); err != nil {
		return err
	}
	const erasures = `
		SELECT e.id, p.slug, e.state, e.phase, e.requested_at, e.held_by, e.failing
		FROM ingest.open_erasures AS e JOIN auth.projects AS p ON p.id = e.project
		ORDER BY e.requested_at, e.id LIMIT $1`
	if s.Erasures, err = collect[Erasure](ctx, tx, erasures); err != nil {
		return err
	}
	const changes = `
		SELECT p.slug, c.from_zone, c.to_zone, c.days_done, c.days_total, c.started_at, c.failure IS NOT NULL
		FROM stats.zone_changes AS c JOIN auth.projects AS p ON p.id = c.project
		WHERE c.finished_at IS NULL ORDER BY c.started_at, p.slug LIMIT $1`
	s.ZoneChanges, err = collect[ZoneChange](ctx, tx, changes)
	return err
}

// collect reads the rows of a query into structs, by position. Its parameter is how many.
func collect[T any](ctx context.Context, tx pgx.Tx, query string) ([]T, error) {
	rows, _ := tx.Query(ctx, query, listed) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}
