package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/test/bench/internal/usage"
	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// subject is the set of processes that a row measures.
type subject struct {
	pids map[string][]int // whose CPU time counts, by column of the table
	main int              // whose memory is watched; 0 for none
	db   *pgxpool.Pool
}

// newSubject adds the databases to the processes that use them.
func newSubject(d deployment.Databases, pids map[string][]int, main int) subject {
	pids["Postgres"] = []int{d.Postgres.PID()}
	pids["Redis"] = []int{d.Redis.PID()}
	return subject{pids: pids, main: main, db: d.DB}
}

func (s subject) cpu() map[string]time.Duration { return usage.CPU(s.pids) }

// checkpoint lets every row begin in the same state: no dirty page of the previous row is left to flush.
func (s subject) checkpoint(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, `CHECKPOINT`); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
