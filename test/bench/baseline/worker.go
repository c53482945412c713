package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

const (
	queue   = "baseline"
	jobType = "event"
	// concurrency is how many jobs are done at a time.
	concurrency = 20
)

// job is one event to be counted.
type job struct {
	ID        int64     `json:"id"`
	UserID    int64     `json:"user_id"`
	ProductID int64     `json:"product_id"`
	EventType string    `json:"event_type"`
	TS        time.Time `json:"ts"`
}

// work does jobs until ctx ends.
func work(ctx context.Context, db *pgxpool.Pool, client *redis.Client) error {
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: concurrency, Queues: map[string]int{queue: 1}, LogLevel: asynq.WarnLevel,
		TaskCheckInterval: 50 * time.Millisecond, // an idle worker must not be late
		BaseContext:       func() context.Context { return context.WithoutCancel(ctx) },
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc(jobType, func(ctx context.Context, task *asynq.Task) error {
		var j job
		if err := json.Unmarshal(task.Payload(), &j); err != nil {
			return fmt.Errorf("decode a job: %w", err)
		}
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return j.count(ctx, tx) })
	})
	if err := server.Start(mux); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// count adds the event to both rollups.
func (j job) count(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO product_daily_stats AS s (product_id, day, views, clicks, add_to_carts)
		VALUES ($1, ($2::timestamptz AT TIME ZONE 'UTC')::date, ($3 = 'view')::int, ($3 = 'click')::int, ($3 = 'add_to_cart')::int)
		ON CONFLICT (product_id, day) DO UPDATE SET
			views = s.views + excluded.views, clicks = s.clicks + excluded.clicks, add_to_carts = s.add_to_carts + excluded.add_to_carts`,
		j.ProductID, j.TS, j.EventType)
	if err != nil {
		return fmt.Errorf("count for the product: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO user_daily_stats AS s (user_id, day, events) VALUES ($1, ($2::timestamptz AT TIME ZONE 'UTC')::date, 1)
		ON CONFLICT (user_id, day) DO UPDATE SET events = s.events + 1`,
		j.UserID, j.TS)
	if err != nil {
		return fmt.Errorf("count for the user: %w", err)
	}
	return nil
}
