package auth

import (
	"context"
	"log/slog"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

const (
	// pruneInterval is how often one replica deletes refresh tokens and share links that have ended, and old rows of the audit log.
	pruneInterval = time.Hour
	// leaderRetry is how often the other replicas try to take over.
	leaderRetry = time.Minute
)

// pruning deletes ended refresh tokens, share links that ended long ago, and rows of the audit log that are older than a number of days, on one replica at a time.
func pruning(store postgres.Store, auditDays int, logger *slog.Logger) lifecycle.Component {
	leader := &platformpostgres.Leader{Pool: store.Pool, Lock: locks.AuthLeader, Retry: leaderRetry, Logger: logger}
	return lifecycle.Loop("pruning", func(ctx context.Context) {
		leader.Run(ctx, func(ctx context.Context) error { return prune(ctx, store, auditDays, logger) })
	})
}

// prune works until ctx ends. A failure is only logged: an ended token that stays an hour longer is still not accepted.
func prune(ctx context.Context, store postgres.Store, auditDays int, logger *slog.Logger) error {
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		if n, err := store.PruneSessions(ctx); err != nil {
			logger.WarnContext(ctx, "prune refresh tokens", "err", err)
		} else {
			logger.InfoContext(ctx, "pruned refresh tokens", "tokens", n)
		}
		if n, err := store.PruneShareLinks(ctx); err != nil {
			logger.WarnContext(ctx, "prune share links", "err", err)
		} else {
			logger.InfoContext(ctx, "pruned share links", "links", n)
		}
		if n, err := store.PruneJournal(ctx, auditDays); err != nil {
			logger.WarnContext(ctx, "prune the audit log", "err", err)
		} else {
			logger.InfoContext(ctx, "pruned the audit log", "rows", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
