package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// rawHTTP measures net/http and encoding/json alone with the same requests, in a process of its own.
func rawHTTP(ctx context.Context, b *bench) (rows []row, err error) {
	address, err := deployment.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	server := deployment.NewProcess(deployment.Command{
		Program: filepath.Join(b.bin, "baseline"), Args: []string{"bare"}, Environ: []string{"HTTP_ADDR=" + address}, Log: filepath.Join(b.dir, "bare.log"),
	})
	if err := server.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	url := "http://" + address
	if err := server.AwaitSuccess(ctx, url+"/health"); err != nil {
		return nil, err
	}
	l := load.Load{
		URL: url, Connections: b.connections, Duration: b.duration,
		Requests: requests(url, "/events", []string{b.platform.key}, b.platform.bodies().eventRequests(), jsonType),
	}
	s := subject{pids: map[string][]int{"service": {server.PID()}}, main: server.PID(), db: b.platform.DB}
	r, err := measure(ctx, "raw: net/http + encoding/json", l, 1, s)
	return []row{r}, err
}
