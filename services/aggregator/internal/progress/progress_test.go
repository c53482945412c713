package progress_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/progress"
)

// The names of events are measured, so that a project that uses them up raises an alert before its events are refused.
func TestNamesOfEventsAreMeasured(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	registry := prometheus.NewRegistry()
	monitor := progress.New(progress.Options{
		Pending:    func(context.Context) (postgres.Backlog, error) { return postgres.Backlog{Names: 8001}, nil },
		Reconciled: func(context.Context) (postgres.Reconciled, error) { return postgres.Reconciled{}, nil },
		Erasures: func(context.Context) (postgres.Erasures, error) {
			cancel() // one measurement is enough
			return postgres.Erasures{}, nil
		},
		Last: time.Now, Logger: slog.New(slog.DiscardHandler),
	}, registry)
	monitor.Run(ctx)
	const want = `
# HELP hpa_aggregator_event_names Names of events of the project that has the most of them, those with a counter of their own excepted. New ones are refused from 10000 on.
# TYPE hpa_aggregator_event_names gauge
hpa_aggregator_event_names 8001
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "hpa_aggregator_event_names"); err != nil {
		t.Error(err)
	}
}

// An open erasure is measured, so that one that is stuck raises an alert.
func TestOpenErasuresAreMeasured(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	registry := prometheus.NewRegistry()
	monitor := progress.New(progress.Options{
		Pending:    func(context.Context) (postgres.Backlog, error) { return postgres.Backlog{}, nil },
		Reconciled: func(context.Context) (postgres.Reconciled, error) { return postgres.Reconciled{}, nil },
		Erasures: func(context.Context) (postgres.Erasures, error) {
			cancel() // one measurement is enough
			return postgres.Erasures{Open: 3, Oldest: 90 * time.Second}, nil
		},
		Last: time.Now, Logger: slog.New(slog.DiscardHandler),
	}, registry)
	monitor.Run(ctx)
	const want = `
# HELP hpa_aggregator_oldest_erasure_seconds How long ago the oldest erasure that is not done was asked for; 0 if there is none.
# TYPE hpa_aggregator_oldest_erasure_seconds gauge
hpa_aggregator_oldest_erasure_seconds 90
# HELP hpa_aggregator_open_erasures Erasures of users that were asked for and are not done.
# TYPE hpa_aggregator_open_erasures gauge
hpa_aggregator_open_erasures 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "hpa_aggregator_open_erasures", "hpa_aggregator_oldest_erasure_seconds"); err != nil {
		t.Error(err)
	}
}
