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

// backlogPerSecond is the number of rows in the backlog of a drain for each second of -duration, so that the drain takes
// long enough to be measured.
const backlogPerSecond = 200_000

// drain measures how fast workers fold a backlog: all stored rows, the same for every number of workers.
func (p *platform) drain(ctx context.Context, name string, workers int, duration time.Duration) (row, error) {
	if err := p.stopAggregator(); err != nil {
		return row{}, err
	}
	n, err := p.stored(ctx)
	if err != nil {
		return row{}, err
	}
	if missing := int(duration.Seconds()*backlogPerSecond) - n; missing > 0 {
		if err := p.addBacklog(ctx, missing); err != nil {
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
	after := p.subject().cpu() // includes the start of the worker
	var begin time.Time        // when the first transaction ended, before the worker reported that it was ready
	if err := p.DB.QueryRow(ctx, `SELECT min(aggregated_at) FROM ingest.batches WHERE rows > 0`).Scan(&begin); err != nil {
		return row{}, fmt.Errorf("read the time of the first fold: %w", err)
	}
	if took := end.Sub(begin); took > 0 {
		return workRow(name, n, took, before, after), nil
	}
	return row{}, errors.New("nothing was folded")
}

// stored returns the number of rows that can be folded.
func (p *platform) stored(ctx context.Context) (n int, err error) {
	if err = p.DB.QueryRow(ctx, `SELECT coalesce(sum(rows), 0) FROM ingest.batches`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return n, nil
}

// addBacklog sends events until n more are stored.
func (p *platform) addBacklog(ctx context.Context, n int) error {
	l := load.Load{
		URL: p.ingestURL(), Connections: 8, Duration: 500 * time.Millisecond,
		Requests: requests(p.ingestURL(), "/events/bulk", []string{p.key}, p.bodies().bulk(1000), jsonType),
	}
	for n > 0 {
		result, err := l.Run(ctx)
		if err != nil {
			return err
		}
		if result.Answered == 0 {
			return fmt.Errorf("no event was stored: %v", result.Failed)
		}
		n -= result.Answered * 1000
	}
	return nil
}

// unfold empties the rollups, makes every batch pending again, and enqueues enough tasks to fold all of them.
func (p *platform) unfold(ctx context.Context, rows, workers int) error {
	tables, err := p.DB.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'stats'`)
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
		if _, err := p.DB.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make batches pending: %w", err)
		}
	}
	client := tasks.NewClient(p.RedisClient, time.Second)
	for range rows/10_000 + workers { // a task may fold more; the last ones then find nothing
		if err := protocol.BatchReady.Enqueue(ctx, client); err != nil {
			return err
		}
	}
	return nil
}
