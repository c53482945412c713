package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
)

// backlogPerSecond is how many rows a drain needs for each second of a row's duration, so that it takes long enough to
// be measured.
const backlogPerSecond = 200_000

// drain measures how fast workers fold what has piled up: all rows that there are, the same for every number of workers.
func (p *platform) drain(ctx context.Context, name string, workers int, duration time.Duration) (row, error) {
	p.halt("aggregator")
	n, err := p.stored(ctx)
	if err != nil {
		return row{}, err
	}
	if missing := int(duration.Seconds()*backlogPerSecond) - n; missing > 0 {
		if err := p.pileUp(ctx, missing); err != nil {
			return row{}, err
		}
		if n, err = p.stored(ctx); err != nil {
			return row{}, err
		}
	}
	if err := p.unfold(ctx, n, workers); err != nil {
		return row{}, err
	}
	before := p.subject().cpu()
	if err := p.startAggregator(ctx, workers); err != nil {
		return row{}, err
	}
	var end time.Time
	err = p.profiled(ctx, name, duration, func() error {
		err := p.settle(ctx)
		end = time.Now()
		return err
	})
	if err != nil {
		return row{}, err
	}
	after := p.subject().cpu() // of the worker from its start
	var begin time.Time        // of the first transaction, which was before the worker was called ready
	if err := p.db.QueryRow(ctx, `SELECT min(aggregated_at) FROM ingest.batches WHERE rows > 0`).Scan(&begin); err != nil {
		return row{}, fmt.Errorf("read the begin: %w", err)
	}
	if took := end.Sub(begin); took > 0 {
		return workRow(name, n, took, before, after), nil
	}
	return row{}, errors.New("nothing was folded")
}

// stored returns how many rows there are to be folded at most.
func (p *platform) stored(ctx context.Context) (n int, err error) {
	if err = p.db.QueryRow(ctx, `SELECT coalesce(sum(rows), 0) FROM ingest.batches`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return n, nil
}

// pileUp sends events until n more are stored.
func (p *platform) pileUp(ctx context.Context, n int) error {
	l := load.Load{
		URL: p.services["ingest"].url, Connections: 8, Duration: 500 * time.Millisecond,
		Requests: requests(p.services["ingest"].url, "/events/bulk", []string{p.key}, p.bodies().bulk(1000), jsonType),
	}
	for n > 0 {
		result, err := l.Run(ctx)
		if err != nil {
			return err
		}
		if result.Answered == 0 {
			return fmt.Errorf("nothing was stored: %v", result.Failed)
		}
		n -= result.Answered * 1000
	}
	return nil
}

// unfold makes every batch pending again and the rollups empty, and leaves tasks enough to fold it all.
func (p *platform) unfold(ctx context.Context, rows, workers int) error {
	tables, err := p.db.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'stats'`)
	if err != nil {
		return fmt.Errorf("list the rollups: %w", err)
	}
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list the rollups: %w", err)
	}
	for _, statement := range []string{
		`TRUNCATE ` + strings.Join(names, ", "),
		`UPDATE ingest.batches SET aggregated_at = NULL WHERE rows > 0`,
		`VACUUM ANALYZE ingest.batches`,
		`CHECKPOINT`,
	} {
		if _, err := p.db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make batches pending: %w", err)
		}
	}
	client := tasks.NewClient(p.queue, time.Second)
	for range rows/10_000 + workers { // a task may fold more, and then some find nothing
		if err := protocol.BatchReady.Enqueue(ctx, client); err != nil {
			return err
		}
	}
	return nil
}
