package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/load"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// rawHTTP measures net/http and encoding/json alone with the same requests, in a process of its own.
func rawHTTP(ctx context.Context, b *bench) ([]row, error) {
	r, err := b.bare(ctx, func(url string) [][]byte {
		return requests(url, "/events", []string{b.platform.key}, b.platform.bodies().eventRequests(), jsonType)
	})
	r.name = "raw: net/http + encoding/json"
	return []row{r}, err
}

// floor measures net/http alone: it answers with the bytes of a product.
func (b *bench) floor(ctx context.Context) (row, error) {
	path := "/products/" + b.platform.products[0]
	body, err := get(ctx, b.platform.Service("catalog").URL()+path)
	if err != nil {
		return row{}, err
	}
	return b.bare(ctx, func(url string) [][]byte { return gets(url, []string{path}, "") }, "BODY="+string(body))
}

// bare measures a minimal server in a process of its own.
func (b *bench) bare(ctx context.Context, send func(url string) [][]byte, environ ...string) (r row, err error) {
	address, err := deployment.FreeAddress(ctx)
	if err != nil {
		return row{}, err
	}
	server := deployment.NewProcess(deployment.Command{
		Program: filepath.Join(b.bin, "baseline"), Args: []string{"bare"}, Environ: append(environ, "HTTP_ADDR="+address), Log: filepath.Join(b.dir, "bare.log"),
	})
	if err := server.Start(ctx); err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	url := "http://" + address
	if err := server.AwaitSuccess(ctx, url+"/health"); err != nil {
		return row{}, err
	}
	l := load.Load{URL: url, Requests: send(url), Connections: b.connections, Duration: b.duration}
	s := subject{pids: map[string][]int{"service": {server.PID()}}, main: server.PID(), db: b.platform.DB}
	return measure(ctx, "", l, 1, s)
}
