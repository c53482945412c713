// Command baseline is what the platform is measured against: the same work done the way one writes it first. One INSERT a
// request, one task an event, one upsert an event and rollup; no cache, no batches, foreign keys. It is written with care,
// on the same libraries, and only ever run by bench.
//
// Arguments: "schema" makes the tables, "api" serves, "worker" works; "bare" is a server that only decodes JSON, or
// answers with BODY, the limit of net/http. Configuration: DATABASE_URL, REDIS_URL, JWT_SECRET, HTTP_ADDR, BODY.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

//go:embed schema.sql
var schema string

// poolSize is the number of Postgres connections of a process.
const poolSize = 20

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := do(ctx, args); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "baseline:", err)
		return 1
	}
	return 0
}

func do(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("one argument: schema, api, worker or bare")
	}
	if args[0] == "bare" {
		return serve(ctx, bare([]byte(os.Getenv("BODY"))))
	}
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = poolSize
	db, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer db.Close()
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // the process ends
	switch args[0] {
	case "schema":
		_, err := db.Exec(ctx, schema)
		return err
	case "api":
		a := api{db: db, tasks: asynq.NewClientFromRedisClient(client), secret: []byte(os.Getenv("JWT_SECRET"))}
		return serve(ctx, a.routes())
	case "worker":
		return work(ctx, db, client)
	}
	return fmt.Errorf("unknown argument %q", args[0])
}

// serve answers on HTTP_ADDR until ctx ends.
func serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{Addr: os.Getenv("HTTP_ADDR"), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(stopCtx)
}
