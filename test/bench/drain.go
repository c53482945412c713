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

// drain measures how fast workers fold a backlog, the same for every number of workers.
func (p *platform) drain(ctx context.Context, name string, workers int, duration time.Duration) (row, error) {
	if err := p.stopAggregator(); err != nil {
		return row{}, err
	}
	n, err := p.backlog(ctx, int(duration.Seconds()*backlogPerSecond))
	if err != nil {
		return row{}, err
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
	if err := p.DB.QueryRow(ctx, `SELECT min(aggregated_at) FROM ingest.batches JOIN bench.backlog USING (id)`).Scan(&begin); err != nil {
		return row{}, fmt.Errorf("read the time of the first fold: %w", err)
	}
	if took := end.Sub(begin); took > 0 {
		return workRow(name, n, took, before, after), nil
	}
	return row{}, errors.New("nothing was folded")
}

// backlog returns the number of rows of the batches in the table bench.backlog. They are at least n, which it sends if need be. A
// fold removes the facts of a batch, so the table keeps them. Beside it are the rollups of everything that was folded before.
func (p *platform) backlog(ctx context.Context, n int) (rows int, err error) {
	if err := p.saveRollups(ctx); err != nil {
		return 0, err
	}
	const table = `
		CREATE TABLE IF NOT EXISTS bench.backlog (id bigint PRIMARY KEY, rows integer NOT NULL, facts bytea NOT NULL);
		INSERT INTO bench.backlog SELECT id, rows, facts FROM ingest.batches WHERE facts IS NOT NULL AND rows > 0
		ON CONFLICT (id) DO NOTHING`
	for {
		if _, err := p.DB.Exec(ctx, table); err != nil {
			return 0, fmt.Errorf("keep the backlog: %w", err)
		}
		if err := p.DB.QueryRow(ctx, `SELECT coalesce(sum(rows), 0) FROM bench.backlog`).Scan(&rows); err != nil {
			return 0, fmt.Errorf("count rows: %w", err)
		}
		if rows >= n {
			return rows, nil
		}
		if err := p.addBacklog(ctx, n-rows); err != nil {
			return 0, err
		}
	}
}

// saveRollups copies the rollups, unless there is a copy.
func (p *platform) saveRollups(ctx context.Context) error {
	var saved bool
	if err := p.DB.QueryRow(ctx, `SELECT to_regnamespace('bench') IS NOT NULL`).Scan(&saved); err != nil || saved {
		return err
	}
	tables, err := p.rollups(ctx)
	if err != nil {
		return err
	}
	statements := []string{`CREATE SCHEMA bench`}
	for _, name := range tables {
		statements = append(statements, `CREATE TABLE bench.`+name+` AS TABLE stats.`+name)
	}
	if _, err := p.DB.Exec(ctx, strings.Join(statements, ";")); err != nil {
		return fmt.Errorf("save the rollups: %w", err)
	}
	return nil
}

// rollups returns the names of the rollup tables: those that have lanes, and segments, which are merged.
func (p *platform) rollups(ctx context.Context) ([]string, error) {
	const query = `
		SELECT quote_ident(c.relname) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'stats'::regnamespace AND c.relkind = 'r' AND a.attname IN ('lane', 'merged')`
	tables, err := p.DB.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list the rollups: %w", err)
	}
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the rollups: %w", err)
	}
	return names, nil
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

// unfold makes the rollups those from before the backlog, makes every batch of the backlog pending again, and enqueues enough
// tasks to fold all of them.
func (p *platform) unfold(ctx context.Context, rows, workers int) error {
	tables, err := p.rollups(ctx)
	if err != nil {
		return err
	}
	var statements []string
	for _, name := range tables {
		statements = append(statements, `TRUNCATE stats.`+name, `INSERT INTO stats.`+name+` OVERRIDING SYSTEM VALUE SELECT * FROM bench.`+name)
	}
	statements = append(statements,
		`UPDATE ingest.batches AS b SET aggregated_at = NULL, facts = k.facts FROM bench.backlog AS k WHERE b.id = k.id`,
		`VACUUM ANALYZE ingest.batches`,
		`CHECKPOINT`,
	)
	for _, statement := range statements {
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
