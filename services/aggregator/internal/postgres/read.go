package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// read folds the facts of locked batches into parts and returns the number of rows. It fails when the facts of a batch are not
// those of as many rows as the batch records.
func read(ctx context.Context, tx pgx.Tx, batches []batch, parts *rollup.Parts) (rows int, err error) {
	clocks, err := clocksOf(ctx, tx, batches)
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		n, err := b.readFacts(clocks[b.project], parts)
		if err != nil {
			return 0, fmt.Errorf("read the facts of batch %d: %w", b.id, err)
		}
		if n != b.rows {
			return 0, fmt.Errorf("batch %d records %d rows but has the facts of %d: %w", b.id, b.rows, n, errContent)
		}
		rows += n
	}
	return rows, parts.Flush()
}

// clocksOf returns the clocks of the projects of batches. They hold until tx ends, because it shares locks.Zones since takeLane, and
// this statement sees what was committed before that.
func clocksOf(ctx context.Context, tx pgx.Tx, batches []batch) (map[int16]*rollup.Clock, error) {
	clocks := map[int16]*rollup.Clock{}
	var projects []int16
	for _, b := range batches {
		if _, ok := clocks[b.project]; !ok {
			clocks[b.project] = nil
			projects = append(projects, b.project)
		}
	}
	histories, err := zones.Read(ctx, tx, projects...)
	if errors.Is(err, zones.ErrUnknown) {
		return nil, fmt.Errorf("%w: %w", err, errContent)
	}
	if err != nil {
		return nil, err
	}
	for project, history := range histories {
		clocks[project] = rollup.NewClock(history)
	}
	return clocks, nil
}

// readFacts adds the facts of the batch to parts and returns how many there are.
func (b *batch) readFacts(clock *rollup.Clock, parts *rollup.Parts) (int, error) {
	if clock == nil {
		return 0, fmt.Errorf("there is no project %d: %w", b.project, errContent)
	}
	if b.rows == 0 && len(b.facts) == 0 {
		return 0, nil
	}
	r, err := facts.NewReader(b.facts)
	if err != nil {
		return 0, err
	}
	switch b.kind {
	case protocol.KindEvents:
		return b.readEvents(r, clock, parts)
	case protocol.KindOrders:
		return b.readLines(r, parts, func(l facts.Line) { parts.Deltas.AddOrderLine(b.project, clock, l) })
	case protocol.KindRefunds:
		return b.readLines(r, parts, func(l facts.Line) { parts.Deltas.AddRefundLine(b.project, clock, l) })
	default:
		return 0, fmt.Errorf("it is of the unknown kind %q: %w", b.kind, errContent)
	}
}

func (b *batch) readEvents(r *facts.Reader, clock *rollup.Clock, parts *rollup.Parts) (n int, err error) {
	room := 0
	for e := (facts.Event{}); r.Event(&e); n++ {
		if e.User == 0 || e.Name == 0 {
			return 0, fmt.Errorf("an event without a user or a name: %w", facts.ErrDamaged)
		}
		if room == 0 {
			if room, err = parts.Next(); err != nil {
				return 0, err
			}
		}
		room--
		parts.Deltas.AddEvent(b.project, clock, e)
	}
	return n, r.Err()
}

// readLines adds lines of orders or of refunds. The user may be nobody: an erased user's order can be refunded.
func (b *batch) readLines(r *facts.Reader, parts *rollup.Parts, add func(facts.Line)) (n int, err error) {
	room := 0
	for l := (facts.Line{}); r.Line(&l); n++ {
		if l.Product == 0 {
			return 0, fmt.Errorf("a line without a product: %w", facts.ErrDamaged)
		}
		if room == 0 {
			if room, err = parts.Next(); err != nil {
				return 0, err
			}
		}
		room--
		add(l)
	}
	return n, r.Err()
}

// batch is one claimed batch.
type batch struct {
	id           int64
	project      int16
	kind         string
	rows         int
	minTS, maxTS *time.Time
	facts        []byte
}

// keysOf returns the primary keys of batches as arrays.
func keysOf(batches []batch) (projects []int16, ids []int64) {
	projects, ids = make([]int16, len(batches)), make([]int64, len(batches))
	for i, b := range batches {
		projects[i], ids[i] = b.project, b.id
	}
	return projects, ids
}

// batchColumns are what collectBatches scans; batchColumnsAlone leaves out the facts.
const (
	batchColumns      = `id, project, kind, rows, min_ts, max_ts, facts`
	batchColumnsAlone = `id, project, kind, rows, min_ts, max_ts, NULL::bytea`
)

func collectBatches(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]batch, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b batch, err error) {
		err = row.Scan(&b.id, &b.project, &b.kind, &b.rows, &b.minTS, &b.maxTS, &b.facts)
		return b, err
	})
}
