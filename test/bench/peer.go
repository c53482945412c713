package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/process"
)

// queueKeys are where BullMQ keeps the jobs that are not done.
var queueKeys = struct{ lists, sets []string }{
	lists: []string{"bull:analytics:wait", "bull:analytics:active"},
	sets:  []string{"bull:analytics:delayed", "bull:analytics:prioritized"},
}

// newPeer makes a Fastify + BullMQ service a rival, on a Postgres and a Redis that are set like the platform's. After an
// error as well its databases must be stopped.
func newPeer(ctx context.Context, o options) (v *rival, err error) {
	v = &rival{table: "events"}
	if v.databases, err = startDatabases(ctx, filepath.Join(o.dir, "peer")); err != nil {
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
		if _, err := v.db.Exec(ctx, string(statements)); err != nil {
			return v, fmt.Errorf("%s: %w", file, err)
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return v, fmt.Errorf("a Fastify service needs Node: %w", err)
	}
	environ := append(os.Environ(), "NODE_ENV=production", "DATABASE_URL="+v.postgres.URL(), "REDIS_URL="+v.redis.URL(), "JWT_SECRET="+jwtSecret)
	v.start = func(address string, more []string) (*process.Process, error) {
		script, listen := "worker", []string(nil)
		if address != "" {
			host, port, _ := net.SplitHostPort(address) // our own
			script, listen = "server", []string{"HOST=" + host, "PORT=" + port}
		}
		return process.Start(process.Command{
			Program: node, Args: []string{"src/" + script + ".js"}, Dir: o.peer,
			Environ: append(append(append([]string{}, environ...), listen...), more...), Log: filepath.Join(v.dir, script+".log"),
		})
	}
	v.reset, v.backlog, v.right = v.resetPeer, v.peerBacklog, v.peerRight
	return v, nil
}

func (v *rival) resetPeer(ctx context.Context) error {
	if err := v.queue.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	_, err := v.db.Exec(ctx, `
		TRUNCATE events, purchases, user_daily_stats;
		DELETE FROM product_daily_stats WHERE day >= current_date - 1`)
	if err != nil {
		return fmt.Errorf("empty the tables: %w", err)
	}
	return nil
}

func (v *rival) peerBacklog(ctx context.Context) (n int, err error) {
	for _, key := range queueKeys.lists {
		length, err := v.queue.LLen(ctx, key).Result()
		if err != nil {
			return 0, fmt.Errorf("read the queue: %w", err)
		}
		n += int(length)
	}
	for _, key := range queueKeys.sets {
		length, err := v.queue.ZCard(ctx, key).Result()
		if err != nil {
			return 0, fmt.Errorf("read the queue: %w", err)
		}
		n += int(length)
	}
	return n, nil
}

func (v *rival) peerRight(ctx context.Context) (right bool, err error) {
	err = v.db.QueryRow(ctx, `
		WITH stored AS (SELECT count(*) AS n FROM events)
		SELECT (SELECT coalesce(sum(views + clicks + add_to_carts), 0) FROM product_daily_stats WHERE day >= current_date - 1) = n
		   AND (SELECT coalesce(sum(events), 0) FROM user_daily_stats) = n
		FROM stored`).Scan(&right)
	return right, err
}
