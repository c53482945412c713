package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// baselineQueue is the name of the queue in test/bench/baseline.
const baselineQueue = "baseline"

// newBaseline returns the naive service as a reference, on the platform's own Postgres (in a schema of its own) and Redis.
func newBaseline(ctx context.Context, b *bench) (*reference, error) {
	d := b.platform.Databases
	tokens, err := userTokens()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(b.bin, "baseline")
	environ := []string{
		"DATABASE_URL=" + d.Postgres.URL() + "&search_path=baseline", "REDIS_URL=" + d.Redis.URL(), "JWT_SECRET=" + jwtSecret,
	}
	schema := exec.CommandContext(ctx, program, "schema")
	schema.Env = environ
	if out, err := schema.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("create the baseline's schema: %w: %s", err, out)
	}
	inspector := asynq.NewInspectorFromRedisClient(d.RedisClient)
	return &reference{
		Databases: d, tokens: tokens, table: "baseline.events",
		process: func(address string, more []string) *deployment.Process {
			mode := "worker"
			if address != "" {
				mode = "api"
			}
			return deployment.NewProcess(deployment.Command{
				Program: program, Args: []string{mode}, Environ: slices.Concat([]string{"HTTP_ADDR=" + address}, environ, more),
				Log: filepath.Join(d.Dir, "baseline-"+mode+".log"),
			})
		},
		reset: func(ctx context.Context) error {
			if err := inspector.DeleteQueue(baselineQueue, true); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) && !strings.Contains(err.Error(), "not found") {
				return fmt.Errorf("empty the queue: %w", err)
			}
			if _, err := d.DB.Exec(ctx, `TRUNCATE baseline.events, baseline.product_daily_stats, baseline.user_daily_stats`); err != nil {
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
		correct: func(ctx context.Context) (correct bool, err error) {
			err = d.DB.QueryRow(ctx, `
				WITH stored AS (SELECT count(*) AS n FROM baseline.events)
				SELECT (SELECT coalesce(sum(views + clicks + add_to_carts), 0) FROM baseline.product_daily_stats) = n
				   AND (SELECT coalesce(sum(events), 0) FROM baseline.user_daily_stats) = n
				FROM stored`).Scan(&correct)
			return correct, err
		},
	}, nil
}

// baselineLoad is a workload on the naive service.
func baselineLoad(s scenario, worker bool) func(ctx context.Context, b *bench) ([]row, error) {
	return func(ctx context.Context, b *bench) ([]row, error) {
		name := "naive events"
		switch {
		case s.perOne > 1:
			name = "naive bulk of 1,000 (loop)"
		case worker:
			name = "naive events, worker on"
		}
		v, err := b.startedBaseline(ctx)
		if err != nil {
			return nil, err
		}
		r, err := v.send(ctx, b.options, name, s, worker)
		rows := []row{r}
		if worker {
			rows = append(rows, timeRow(fmt.Sprintf("… after these %s until the rollups are correct", b.duration), r.after))
		}
		return rows, err
	}
}

func baselineDrain(ctx context.Context, b *bench) ([]row, error) {
	v, err := b.startedBaseline(ctx)
	if err != nil {
		return nil, err
	}
	r, err := v.drain(ctx, b.options, "naive drain", singleEvents)
	return []row{r}, err
}

// startedBaseline returns the baseline, which it makes at the first call.
func (b *bench) startedBaseline(ctx context.Context) (*reference, error) {
	if b.baseline != nil {
		return b.baseline, nil
	}
	// The aggregator must not compete with the baseline's worker.
	err := b.platform.stopAggregator()
	if err != nil {
		return nil, err
	}
	b.baseline, err = newBaseline(ctx, b)
	return b.baseline, err
}
