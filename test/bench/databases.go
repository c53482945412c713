package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/localruntime/localredis"
	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// databases are a durable Postgres and a Redis. Whatever is compared gets its own, with the same settings.
type databases struct {
	dir      string // of logs as well
	postgres *localpg.Server
	redis    *localredis.Server
	db       *pgxpool.Pool
	queue    *redis.Client
}

// startDatabases starts them. After an error as well stop must be called.
func startDatabases(ctx context.Context, dir string) (d databases, err error) {
	d.dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the unprivileged servers must pass through
		return d, fmt.Errorf("make a directory: %w", err)
	}
	logger := slog.New(slog.DiscardHandler)
	if d.postgres, err = localpg.Start(ctx, localpg.Options{Dir: filepath.Join(dir, "postgres"), Logger: logger}); err != nil {
		return d, fmt.Errorf("start Postgres: %w", err)
	}
	if d.redis, err = localredis.Start(ctx, localredis.Options{Dir: filepath.Join(dir, "redis"), Logger: logger}); err != nil {
		return d, fmt.Errorf("start Redis: %w", err)
	}
	if d.db, err = pgxpool.New(ctx, d.postgres.URL()); err != nil {
		return d, fmt.Errorf("connect to Postgres: %w", err)
	}
	redisOptions, err := redis.ParseURL(d.redis.URL())
	if err != nil {
		return d, fmt.Errorf("parse the URL of Redis: %w", err)
	}
	d.queue = redis.NewClient(redisOptions)
	return d, nil
}

func (d databases) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var problems []error
	if d.db != nil {
		d.db.Close()
	}
	if d.queue != nil {
		problems = append(problems, d.queue.Close())
	}
	if d.redis != nil {
		problems = append(problems, d.redis.Stop(ctx))
	}
	if d.postgres != nil {
		problems = append(problems, d.postgres.Stop(ctx))
	}
	return errors.Join(problems...)
}

// subject is what a row is measured on: the processes whose time counts.
type subject struct {
	pids map[string][]int // by column of the table
	main int              // whose memory is watched; 0 for none
	db   *pgxpool.Pool
}

// subject adds the databases to the processes that work on them.
func (d databases) subject(pids map[string][]int, main int) subject {
	pids["Postgres"] = []int{d.postgres.PID()}
	pids["Redis"] = []int{d.redis.PID()}
	return subject{pids: pids, main: main, db: d.db}
}

func (s subject) cpu() map[string]time.Duration { return process.CPU(s.pids) }

// checkpoint makes every row begin alike: nothing of what the one before has written is still to be flushed.
func (s subject) checkpoint(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, `CHECKPOINT`); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
