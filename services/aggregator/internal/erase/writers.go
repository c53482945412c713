package erase

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// wait is what a pass waits for. It is in memory: after a restart the wait begins anew, with whoever is there then.
type wait struct {
	writers []string // transactions; nil before they were looked for
	drained bool     // they have ended
	batches []int64  // not folded yet
}

// drain waits until no transaction that looked at the dictionary before the users left it can still commit, and until the batches
// that were committed with their numbers are folded. A statement of ingest locks ingest.batches before it takes its snapshot, so
// one whose snapshot has the former epoch holds the lock now or has ended.
func (e *Eraser) drain(ctx context.Context, p *pass) (Progress, error) {
	w := e.waitOf(p)
	if !w.drained {
		present, err := e.writers(ctx)
		if err != nil {
			return Idle, err
		}
		if w.writers == nil {
			w.writers = present
		}
		w.writers = slices.DeleteFunc(w.writers, func(one string) bool { return !slices.Contains(present, one) })
		if len(w.writers) > 0 {
			return Waiting, nil
		}
		w.drained = true
		if w.batches, _, err = e.unfolded(ctx, p, nil); err != nil {
			w.drained = false
			return Idle, err
		}
	}
	left, failed, err := e.unfolded(ctx, p, w.batches)
	if err != nil {
		return Idle, err
	}
	if w.batches = left; len(left) > 0 {
		return Waiting, e.hold(ctx, p, failed)
	}
	delete(e.waits, p.passKey)
	return Moved, platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return p.enter(ctx, tx, phaseRows) })
}

func (e *Eraser) waitOf(p *pass) *wait {
	if e.waits == nil {
		e.waits = map[passKey]*wait{}
	}
	w, ok := e.waits[p.passKey]
	if !ok {
		w = &wait{}
		e.waits[p.passKey] = w
	}
	return w
}

// writers returns the transactions that hold a writer's lock on ingest.batches. Folds are among them; they end soon, too.
func (e *Eraser) writers(ctx context.Context) (writers []string, err error) {
	const query = `
		SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}')
		FROM pg_locks
		WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND relation = 'ingest.batches'::regclass
		  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	if err := e.Pool.QueryRow(ctx, query).Scan(&writers); err != nil {
		return nil, fmt.Errorf("look for writers: %w", err)
	}
	return writers, nil
}

// unfolded returns the batches of the project that are not folded, and which of them have failed: of some batches, or all of them.
func (e *Eraser) unfolded(ctx context.Context, p *pass, among []int64) (left, failed []int64, err error) {
	if among != nil && len(among) == 0 {
		return among, nil, nil
	}
	const query = `
		SELECT coalesce(array_agg(id ORDER BY id), '{}'), coalesce(array_agg(id ORDER BY id) FILTER (WHERE failed), '{}')
		FROM ingest.unfolded_batches
		WHERE project = $1 AND ($2::bigint[] IS NULL OR id = ANY($2))`
	if err := e.Pool.QueryRow(ctx, query, p.project, among).Scan(&left, &failed); err != nil {
		return nil, nil, fmt.Errorf("look for batches that are not folded: %w", err)
	}
	return left, failed, nil
}

// maxHeld bounds the failed batches that a receipt names.
const maxHeld = 100

// hold records which failed batches the erasures wait for.
func (e *Eraser) hold(ctx context.Context, p *pass, failed []int64) error {
	const update = `UPDATE ingest.erasures AS e SET held_by = $3 WHERE ` + ofPass + ` AND e.held_by IS DISTINCT FROM $3`
	if _, err := e.Pool.Exec(ctx, update, p.project, p.epoch, failed[:min(len(failed), maxHeld)]); err != nil {
		return fmt.Errorf("record what holds it up: %w", err)
	}
	return nil
}
