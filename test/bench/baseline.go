package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// baselineQueue is what its programs call their queue.
const baselineQueue = "baseline"

// newBaseline makes the naive service a rival, on the platform's own Postgres (in a schema of its own) and Redis.
func newBaseline(ctx context.Context, b *bench) (*rival, error) {
	d := b.platform.databases
	tokens, err := userTokens()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(b.bin, "baseline")
	environ := []string{
		"DATABASE_URL=" + d.postgres.URL() + "&search_path=baseline", "REDIS_URL=" + d.redis.URL(), "JWT_SECRET=" + jwtSecret,
	}
	schema := exec.CommandContext(ctx, program, "schema")
	schema.Env = environ
	if out, err := schema.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the baseline's schema: %w: %s", err, out)
	}
	inspector := asynq.NewInspectorFromRedisClient(d.queue)
	return &rival{
		databases: d, tokens: tokens, table: "baseline.events",
		start: func(address string, more []string) (*process.Process, error) {
			mode := "worker"
			if address != "" {
				mode = "api"
			}
			return process.Start(process.Command{
				Program: program, Args: []string{mode}, Environ: append(append([]string{"HTTP_ADDR=" + address}, environ...), more...),
				Log: filepath.Join(d.dir, "baseline-"+mode+".log"),
			})
		},
		reset: func(ctx context.Context) error {
			if err := inspector.DeleteQueue(baselineQueue, true); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) && !strings.Contains(err.Error(), "not found") {
				return fmt.Errorf("empty the queue: %w", err)
			}
			if _, err := d.db.Exec(ctx, `TRUNCATE baseline.events, baseline.product_daily_stats, baseline.user_daily_stats`); err != nil {
				return fmt.Errorf("empty the tables: %w", err)
			}
			return nil
		},
		backlog: func(context.Context) (int, error) {
			info, err := inspector.GetQueueInfo(baselineQueue)
			if err != nil {
				return 0, fmt.Errorf("read the queue: %w", err)
			}
			return info.Pending + info.Active + info.Scheduled + info.Retry, nil
		},
		right: func(ctx context.Context) (right bool, err error) {
			err = d.db.QueryRow(ctx, `
				WITH stored AS (SELECT count(*) AS n FROM baseline.events)
				SELECT (SELECT coalesce(sum(views + clicks + add_to_carts), 0) FROM baseline.product_daily_stats) = n
				   AND (SELECT coalesce(sum(events), 0) FROM baseline.user_daily_stats) = n
				FROM stored`).Scan(&right)
			return right, err
		},
	}, nil
}

// baselineLoad is a workload on the naive service.
func baselineLoad(c contest, worker bool) func(ctx context.Context, b *bench) ([]row, error) {
	return func(ctx context.Context, b *bench) ([]row, error) {
		name := "baseline events"
		switch {
		case c.perOne > 1:
			name = "baseline bulk of 1,000 (loop)"
		case worker:
			name = "baseline events, worker on"
		}
		v, err := b.theBaseline(ctx)
		if err != nil {
			return nil, err
		}
		r, err := v.send(ctx, b.options, name, c, worker)
		rows := []row{r}
		if worker {
			rows = append(rows, timeRow(fmt.Sprintf("… after these %s until the rollups are right", b.duration), r.after))
		}
		return rows, err
	}
}

func baselineDrain(ctx context.Context, b *bench) ([]row, error) {
	v, err := b.theBaseline(ctx)
	if err != nil {
		return nil, err
	}
	r, err := v.drain(ctx, b.options, "baseline drain", contestEvents, rivalPatience)
	return []row{r}, err
}

// theBaseline is made when it is first needed.
func (b *bench) theBaseline(ctx context.Context) (*rival, error) {
	if b.baseline != nil {
		return b.baseline, nil
	}
	b.platform.halt("aggregator") // the workers of one at a time
	var err error
	b.baseline, err = newBaseline(ctx, b)
	return b.baseline, err
}
