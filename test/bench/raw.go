package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// rawCopy measures what Postgres alone takes for the same rows: COPY into ingest.events itself, size at a time, on two
// connections, with a commit for each. No batch stands for these rows, so nobody folds them.
func (b *bench) rawCopy(ctx context.Context, size int) ([]row, error) {
	p := b.platform
	columns, err := p.eventColumns(ctx)
	if err != nil {
		return nil, err
	}
	s := p.databases.subject(map[string][]int{}, 0)
	if err := s.checkpoint(ctx); err != nil {
		return nil, err
	}
	before, own, begin := s.cpu(), process.OwnCPU(), time.Now()
	counts := make([]int, 2)
	var group errgroup.Group
	for i := range counts {
		group.Go(func() error {
			for time.Since(begin) < b.duration {
				rows := p.eventRows(counts[i]*size, size, columns)
				if _, err := p.db.CopyFrom(ctx, pgx.Identifier{"ingest", "events"}, columns, pgx.CopyFromRows(rows)); err != nil {
					return fmt.Errorf("copy: %w", err)
				}
				counts[i]++
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // says what was done
	}
	name := fmt.Sprintf("raw: COPY of %s", thousands(float64(size)))
	n := (counts[0] + counts[1]) * size
	r := workRow(name, n, time.Since(begin), before, s.cpu())
	r.load = float64((process.OwnCPU() - own).Microseconds()) / float64(max(1, n))
	return []row{r}, nil
}

// eventColumns returns the columns of ingest.events that a writer must or can fill.
func (p *platform) eventColumns(ctx context.Context) ([]string, error) {
	rows, err := p.db.Query(ctx, `
		SELECT attname FROM pg_attribute
		WHERE attrelid = 'ingest.events'::regclass AND attnum > 0 AND NOT attisdropped
		  AND (NOT atthasdef OR attname = ANY($1))
		ORDER BY attnum`, []string{"id", "ts", "product_id", "user_id", "type", "properties", "batch_id"})
	if err != nil {
		return nil, fmt.Errorf("list the columns of events: %w", err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the columns of events: %w", err)
	}
	return columns, nil
}

// eventRows makes rows of the given columns; what is not known here is NULL.
func (p *platform) eventRows(from, size int, columns []string) [][]any {
	batch, now := uuid.Must(uuid.NewV7()), time.Now()
	rows := make([][]any, size)
	for i := range rows {
		k := from + i
		values := map[string]any{
			"id": uuid.Must(uuid.NewV7()), "ts": now, "received_at": now, "product_id": p.products[productOf(k)], "batch_id": batch,
			"user_id": fmt.Sprintf("user-%d", userOf(k)), "type": typeOf(k), "properties": []byte(properties(k)),
		}
		rows[i] = make([]any, len(columns))
		for c, column := range columns {
			rows[i][c] = values[column]
		}
	}
	return rows
}

// rawHTTP measures what net/http and encoding/json alone take for the same requests, in a process of its own.
func (b *bench) rawHTTP(ctx context.Context) ([]row, error) {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what was done
	}
	server, err := process.Start(process.Command{
		Program: filepath.Join(b.bin, "baseline"), Args: []string{"bare"}, Environ: []string{"HTTP_ADDR=" + address}, Log: filepath.Join(b.dir, "bare.log"),
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what was done
	}
	defer server.Stop()
	url := "http://" + address
	if err := untilAnswered(ctx, server, url+"/health"); err != nil {
		return nil, err
	}
	l := load.Load{
		URL: url, Connections: b.connections, Duration: b.duration,
		Requests: requests(url, "/events", []string{b.platform.key}, b.platform.bodies().eventRequests(), jsonType),
	}
	s := subject{pids: map[string][]int{"service": {server.PID()}}, main: server.PID(), db: b.platform.db}
	r, err := measure(ctx, "raw: net/http + encoding/json", l, 1, s)
	return []row{r}, err
}
