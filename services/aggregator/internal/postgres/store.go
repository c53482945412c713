// Package postgres holds the exactly-once protocol: a fold claims pending batches, adds their facts to the rollups and
// marks them aggregated, in one transaction. A fold that dies leaves the batches pending and the rollups unchanged. A
// second fold of the same batches finds nothing pending.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Store folds as the role hp_aggregator.
type Store struct {
	Pool  *pgxpool.Pool
	Lanes int // how many folds can run at once, over all replicas; at most locks.MaxLanes
	Rows  int // the row budget of a fold: it claims batches until they reach it, and at most FoldBatches
	Bytes int // the memory that the deltas of a fold may take; a larger fold is added to the rollups in parts; 0 for no bound
}

// Folded describes what a call folded. It is valid beside an error, too: what is committed stays.
type Folded struct {
	Batches, Rows int
	Changed       rollup.Changed // what readers must read again
	Failed        []Failure      // batches that could not be folded and were set aside
	NoLane        bool           // nothing was folded because every lane was taken
	Parts         int            // in how many parts the rows were added to the rollups
	Bytes         int            // the largest part, as rollup.Deltas.Bytes estimates it
}

// Fold folds pending batches once, up to the row budget. It is no error when nothing is pending. Batches whose content
// makes the fold fail are set aside; all other claimed batches are folded.
func (s Store) Fold(ctx context.Context) (Folded, error) {
	done := Folded{Changed: rollup.Changed{}}
	claimed, err := s.fold(ctx, &done, s.claim)
	if isContent(err) {
		err = s.bisect(ctx, &done, claimed)
	}
	if err != nil {
		return done, postgres.Classify(fmt.Errorf("fold: %w", err))
	}
	return done, nil
}

// fold folds what claim returns in one transaction and adds it to done. After an error it returns the claimed batches, and
// nothing of them is folded.
func (s Store) fold(ctx context.Context, done *Folded, claim func(context.Context, pgx.Tx, int16) ([]batch, error)) ([]batch, error) {
	var batches []batch
	var rows int
	var parts *rollup.Parts
	changed := rollup.Changed{}
	noLane := false
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		lane, ok, err := s.takeLane(ctx, tx)
		if err != nil || !ok {
			noLane = !ok
			return err
		}
		if batches, err = claim(ctx, tx, lane); err != nil || len(batches) == 0 {
			return err
		}
		parts = s.parts(ctx, tx, lane, changed)
		rows, err = add(ctx, tx, batches, parts)
		return err
	})
	if err != nil {
		return batches, err
	}
	done.NoLane = noLane
	if len(batches) > 0 {
		done.count(len(batches), rows, parts, changed)
	}
	return batches, nil
}

func (f *Folded) count(batches, rows int, parts *rollup.Parts, changed rollup.Changed) {
	f.Batches += batches
	f.Rows += rows
	f.Parts += parts.Count
	f.Bytes = max(f.Bytes, parts.Most)
	f.Changed.Merge(changed)
}

// parts returns parts that are added to the rollups of a lane, all in the transaction of the fold.
func (s Store) parts(ctx context.Context, tx pgx.Tx, lane int16, changed rollup.Changed) *rollup.Parts {
	locked := false
	return rollup.NewParts(s.Bytes, func(deltas *rollup.Deltas, last bool) error {
		if !last && !locked {
			// A later part may write a table that no earlier one did. The swap of a rebuild locks the tables in their order, so
			// taking an earlier one late could be a deadlock.
			if _, err := tx.Exec(ctx, `LOCK TABLE `+Stats.Qualified()+` IN ROW EXCLUSIVE MODE`); err != nil {
				return fmt.Errorf("lock the rollups: %w", err)
			}
			locked = true
		}
		deltas.Note(changed)
		return Stats.Add(ctx, tx, lane, deltas)
	})
}

// add adds the facts of locked batches to the rollups in parts, marks the batches, and returns the number of rows.
func add(ctx context.Context, tx pgx.Tx, batches []batch, parts *rollup.Parts) (int, error) {
	rows, err := read(ctx, tx, batches, parts)
	if err != nil {
		return 0, err
	}
	return rows, markAggregated(ctx, tx, batches)
}

// takeLane takes the first free lane until the end of the transaction. Only the holder of a lane writes its rollup rows. It also shares
// locks.Zones, so the time zones that later statements read cannot change before the rows are counted by them. It waits for
// a change that is being stored, as a fold waits for the swap of a rebuild, but before it has claimed anything.
func (s Store) takeLane(ctx context.Context, tx pgx.Tx) (lane int16, ok bool, err error) {
	const query = `
		WITH free AS MATERIALIZED (
			SELECT lane::smallint
			FROM generate_series(0, $1::int - 1) AS lane
			WHERE pg_try_advisory_xact_lock($2::int, $3::int + lane)
			LIMIT 1
		)
		SELECT lane FROM free, pg_advisory_xact_lock_shared($4::int, $5::int)`
	rows, err := tx.Query(ctx, query, s.Lanes, locks.Lane(0).Class(), locks.Lane(0).ID(), locks.Zones.Class(), locks.Zones.ID())
	if err != nil {
		return 0, false, fmt.Errorf("take a lane: %w", err)
	}
	lanes, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil {
		return 0, false, fmt.Errorf("take a lane: %w", err)
	}
	if len(lanes) == 0 {
		return 0, false, nil
	}
	return lanes[0], true, nil
}

// markAggregated turns pending or failed batches into receipts, which need no facts.
func markAggregated(ctx context.Context, tx pgx.Tx, batches []batch) error {
	// Not now(), which is the start of this transaction: a batch may have been committed after that.
	const mark = `
		UPDATE ingest.batches AS b
		SET aggregated_at = clock_timestamp(), failed_at = NULL, next_attempt_at = NULL, failure = NULL, facts = NULL
		FROM unnest($1::smallint[], $2::bigint[]) AS folded (project, id)
		WHERE b.project = folded.project AND b.id = folded.id AND b.aggregated_at IS NULL`
	projects, ids := keysOf(batches)
	tag, err := tx.Exec(ctx, mark, projects, ids)
	if err != nil {
		return fmt.Errorf("mark batches: %w", err)
	}
	if tag.RowsAffected() != int64(len(batches)) { // a defect, because they are locked: rather roll back than count twice
		return fmt.Errorf("mark batches: %d of %d were not folded yet", tag.RowsAffected(), len(batches))
	}
	return nil
}
