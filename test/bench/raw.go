package main

import (
	"context"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// rawHTTP measures what net/http and encoding/json alone take for the same requests, in a process of its own.
func rawHTTP(ctx context.Context, b *bench) ([]row, error) {
	address, err := process.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	server, err := process.Start(process.Command{
		Program: filepath.Join(b.bin, "baseline"), Args: []string{"bare"}, Environ: []string{"HTTP_ADDR=" + address}, Log: filepath.Join(b.dir, "bare.log"),
	})
	if err != nil {
		return nil, err
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
