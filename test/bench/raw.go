package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// rawCopy measures what Postgres alone takes for the same rows: COPY of 1,000 at a time into a table with the columns,
// the key and the indexes of ingest.events, on two connections, with a commit for each.
func (p *platform) rawCopy(ctx context.Context, duration time.Duration) (row, error) {
	const table = `
		DROP TABLE IF EXISTS raw_events;
		CREATE TABLE raw_events (LIKE ingest.events INCLUDING ALL)`
	if _, err := p.db.Exec(ctx, table); err != nil {
		return row{}, fmt.Errorf("make the table: %w", err)
	}
	before, begin := cpuOf(p.pids()), time.Now()
	counts := make([]int, 2)
	var group errgroup.Group
	for i := range counts {
		group.Go(func() error {
			for time.Since(begin) < duration {
				rows := p.rawRows(counts[i])
				columns := []string{"id", "ts", "received_at", "product_id", "batch_id", "user_id", "type", "properties"}
				if _, err := p.db.CopyFrom(ctx, pgx.Identifier{"raw_events"}, columns, pgx.CopyFromRows(rows)); err != nil {
					return fmt.Errorf("copy: %w", err)
				}
				counts[i]++
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return row{}, err
	}
	result := outcome{answered: counts[0] + counts[1], took: time.Since(begin)}
	r := newRow("raw: COPY of 1,000", result, 1000, before, cpuOf(p.pids()))
	_, err := p.db.Exec(ctx, `DROP TABLE raw_events`)
	if err != nil {
		return row{}, fmt.Errorf("drop the table: %w", err)
	}
	return r, nil
}

func (p *platform) rawRows(n int) [][]any {
	batch, now := uuid.Must(uuid.NewV7()), time.Now()
	rows := make([][]any, 1000)
	for i := range rows {
		k := n*len(rows) + i
		rows[i] = []any{
			uuid.Must(uuid.NewV7()), now, now, p.products[k*7919%products], batch, fmt.Sprintf("user-%d", k*31%1000), types[k%len(types)],
			fmt.Appendf(nil, `{"page":"/p/%d","ref":"search","device":"mobile","session":"s%06d"}`, k*7919%products, k*104729%1_000_000),
		}
	}
	return rows
}

// rawHTTP measures what net/http and encoding/json alone take for the same requests: a server in a process like any other
// (this one, whose own work is the load's as well, so only the rate can be compared).
func (p *platform) rawHTTP(ctx context.Context, o options) (row, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return row{}, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("{}"))
	})}
	go func() { _ = server.Serve(listener) }() // ends by Close
	defer server.Close()                       //nolint:errcheck // nothing is lost
	l := load{
		url: "http://" + listener.Addr().String(), connections: o.connections, duration: o.duration,
		requests: p.requests("/events", singles(p.event), jsonType),
	}
	pids := map[string]int{"this": os.Getpid()}
	before := cpuOf(pids)
	result, err := l.run(ctx)
	if err != nil {
		return row{}, err
	}
	return newRow("raw: net/http + encoding/json, load included", result, 1, before, cpuOf(pids)), nil
}
