package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// queueKeys are the Redis keys in which BullMQ keeps the jobs that are not done.
var queueKeys = struct{ lists, sets []string }{
	lists: []string{"bull:analytics:wait", "bull:analytics:active"},
	sets:  []string{"bull:analytics:delayed", "bull:analytics:prioritized"},
}

// newPeer returns a Fastify + BullMQ service as a reference, on a Postgres and a Redis with the same settings as the
// platform's. Its databases must be stopped even after an error.
func newPeer(ctx context.Context, o options) (v *reference, err error) {
	v = &reference{table: "events"}
	if v.Databases, err = deployment.StartDatabases(ctx, filepath.Join(o.dir, "peer")); err != nil {
		return v, err
	}
	if v.tokens, err = userTokens(); err != nil {
		return v, err
	}
	for _, file := range []string{"schema.sql", "seed.sql"} {
		statements, err := os.ReadFile(filepath.Join(o.peer, "sql", file))
		if err != nil {
			return v, fmt.Errorf("read the peer's SQL: %w", err)
		}
		if _, err := v.DB.Exec(ctx, string(statements)); err != nil {
			return v, fmt.Errorf("%s: %w", file, err)
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return v, fmt.Errorf("the peer needs Node: %w", err)
	}
	environ := append(os.Environ(), "NODE_ENV=production", "DATABASE_URL="+v.Postgres.URL(), "REDIS_URL="+v.Redis.URL(), "JWT_SECRET="+jwtSecret)
	v.process = func(address string, more []string) *deployment.Process {
		script, listen := "worker", []string(nil)
		if address != "" {
			host, port, _ := net.SplitHostPort(address) // of FreeAddress
			script, listen = "server", []string{"HOST=" + host, "PORT=" + port}
		}
		return deployment.NewProcess(deployment.Command{
			Program: node, Args: []string{"src/" + script + ".js"}, Dir: o.peer,
			Environ: slices.Concat(environ, listen, more), Log: filepath.Join(v.Dir, script+".log"),
		})
	}
	v.reset, v.backlog, v.correct = v.resetPeer, v.peerBacklog, v.peerCorrect
	return v, nil
}

func (v *reference) resetPeer(ctx context.Context) error {
	if err := v.RedisClient.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	_, err := v.DB.Exec(ctx, `
		TRUNCATE events, purchases, user_daily_stats;
		DELETE FROM product_daily_stats WHERE day >= current_date - 1`)
	if err != nil {
		return fmt.Errorf("empty the tables: %w", err)
	}
	return nil
}

func (v *reference) peerBacklog(ctx context.Context) (n int, err error) {
	for _, key := range queueKeys.lists {
		length, err := v.RedisClient.LLen(ctx, key).Result()
		if err != nil {
			return 0, fmt.Errorf("read the queue: %w", err)
		}
		n += int(length)
	}
	for _, key := range queueKeys.sets {
		length, err := v.RedisClient.ZCard(ctx, key).Result()
		if err != nil {
			return 0, fmt.Errorf("read the queue: %w", err)
		}
		n += int(length)
	}
	return n, nil
}

func (v *reference) peerCorrect(ctx context.Context) (correct bool, err error) {
	err = v.DB.QueryRow(ctx, `
		WITH stored AS (SELECT count(*) AS n FROM events)
		SELECT (SELECT coalesce(sum(views + clicks + add_to_carts), 0) FROM product_daily_stats WHERE day >= current_date - 1) = n
		   AND (SELECT coalesce(sum(events), 0) FROM user_daily_stats) = n
		FROM stored`).Scan(&correct)
	return correct, err
}
