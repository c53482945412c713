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

// sample takes the CPU times now, at the end of each part of a duration except the last, and when the function that it returns
// is called, which must happen after the duration or when the work has ended.
func (s subject) sample(duration time.Duration, parts int) (stop func() []map[string]time.Duration) {
	end, samples := make(chan struct{}), make(chan []map[string]time.Duration)
	taken := []map[string]time.Duration{s.cpu()}
	go func() {
		if parts > 1 {
			ticker := time.NewTicker(duration / time.Duration(parts))
			defer ticker.Stop()
			for len(taken) < parts {
				select {
				case <-ticker.C:
					taken = append(taken, s.cpu())
					continue
				case <-end:
				}
				break
			}
		}
		<-end
		samples <- append(taken, s.cpu())
	}()
	return func() []map[string]time.Duration {
		close(end)
		return <-samples
	}
}

// checkpoint lets every row begin in the same state: no dirty page of the previous row is left to flush.
func (s subject) checkpoint(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, `CHECKPOINT`); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
