// Package check compares what the platform has stored and reports with the account of its clients. Each check returns one
// line per finding; an error means that the check could not run.
package check

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// Checker checks one run.
type Checker struct {
	DB      *pgxpool.Pool  // with the right to read everything
	Zone    *time.Location // of the project
	Account ledger.Account
	// Receipt reads the receipt of a batch from the platform; found is false if there is none.
	Receipt func(ctx context.Context, batch string) (r Receipt, found bool, err error)
	// Reconcile runs `hp-analytics reconcile` and returns its output and whether it failed.
	Reconcile func(ctx context.Context) (output string, failed bool, err error)
	Queue     *Queue
}

// Report is the result of all checks.
type Report struct {
	Events, Orders, Refunds, Batches int // number compared; purchases are orders
	Archived                         int // wake-up tasks that Asynq has archived; harmless, because their batches are folded
	Findings                         []string
}

// Run runs all checks.
func (c *Checker) Run(ctx context.Context) (Report, error) {
	r := Report{Events: len(c.Account.Events), Orders: len(c.wanted()), Refunds: len(c.Account.Refunds)}
	r.Findings = append(r.Findings, c.Account.Problems...)
	for _, check := range []struct {
		what string
		run  func(context.Context) ([]string, error)
	}{
		{"events", c.events},
		{"orders", c.orders},
		{"refunds", c.refunds},
		{"rollups", c.rollups},
		{"receipts", func(ctx context.Context) (found []string, err error) {
			r.Batches, found, err = c.receipts(ctx)
			return found, err
		}},
		{"reconcile", c.reconcile},
		{"queue", func(ctx context.Context) (found []string, err error) {
			r.Archived, found, err = c.queue(ctx)
			return found, err
		}},
	} {
		found, err := check.run(ctx)
		if err != nil {
			return r, fmt.Errorf("check %s: %w", check.what, err)
		}
		r.Findings = append(r.Findings, found...)
	}
	return r, nil
}
