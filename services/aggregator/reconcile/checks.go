package reconcile

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// check is a part of a reconciliation that one session does alone.
type check struct {
	what  string
	slug  string // of the project; empty for a check of all of them
	run   func(context.Context, postgres.Snapshot, *findings) error
	found findings
	done  chan struct{} // closed when found is complete
}

// findings are what a check has found.
type findings struct {
	rows, compared int64
	differences    []postgres.Fault
}

func (f *findings) fault(d postgres.Fault) { f.differences = append(f.differences, d) }

// add adds what a part of the check has found.
func (f *findings) add(part *findings) {
	f.rows += part.rows
	f.compared += part.compared
	f.differences = append(f.differences, part.differences...)
}

// run lets each snapshot do one check after the other. What they find is reported in the order of the checks.
func (r *run) run(ctx context.Context, snapshots []postgres.Snapshot, checks []*check) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan *check, len(checks))
	for _, c := range checks {
		c.done = make(chan struct{})
		queue <- c
	}
	close(queue)
	for _, snapshot := range snapshots {
		group.Go(func() error {
			for c := range queue {
				if err := c.run(ctx, snapshot, &c.found); err != nil {
					return fmt.Errorf("%s: %w", c.what, err)
				}
				close(c.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		for _, c := range checks {
			select {
			case <-c.done:
			case <-ctx.Done():
				return nil // a check has failed, and its error counts
			}
			if err := r.take(c.slug, &c.found); err != nil {
				return err
			}
			c.found = findings{}
		}
		return nil
	})
	return group.Wait() //nolint:wrapcheck // the errors say which check has failed
}
