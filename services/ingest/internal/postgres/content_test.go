package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

type nobody struct{}

func (nobody) Wake(context.Context) {}

// TestOneBadRowCostsNoNeighbour commits many requests at once, one of which Postgres refuses.
func TestOneBadRowCostsNoNeighbour(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	registry := prometheus.NewRegistry()
	c := committer.New(store, nobody{}, committer.Options{Writers: 1, MaxWaiting: 10_000}, registry)

	// The requests wait for a committer that does not run yet, so they share a flush.
	const n, badOne = 1000, 617
	var sent sync.WaitGroup
	errsOfEvents := make([]error, n)
	for i := range n {
		e := someEvents(1)
		if i == badOne {
			e[0].Properties = []byte("\xff")
		}
		sent.Go(func() { _, _, errsOfEvents[i] = c.CommitEvents(t.Context(), e) })
	}
	waitForRows(t, registry, n)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	sent.Wait()
	cancel()
	running.Wait()

	for i, err := range errsOfEvents {
		if bad := i == badOne; bad != (err != nil) || bad && (!errors.Is(err, committer.ErrContent) || errs.KindOf(err) != errs.Internal) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	var rows, batches int
	if err := database.Pool("").QueryRow(t.Context(), `SELECT sum(rows), count(*) FROM ingest.batches`).Scan(&rows, &batches); err != nil {
		t.Fatal(err)
	}
	if rows != n-1 || batches > 11 { // of 1,000, 500, 250 … one half is stored at each of ten steps
		t.Errorf("%d rows in %d batches, want %d in at most 11", rows, batches, n-1)
	}
}

// waitForRows waits until n events wait for a writer.
func waitForRows(t *testing.T, registry *prometheus.Registry, n float64) {
	t.Helper()
	platformtest.Eventually(t, time.Minute, "all requests wait", func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "hpa_ingest_waiting_rows" {
				return slices.ContainsFunc(family.GetMetric(), func(m *dto.Metric) bool { return m.GetGauge().GetValue() == n })
			}
		}
		return false
	})
}

// Errors that every write would meet must not be taken for errors of a row.
func TestErrorsOfTheDatabaseAreNotErrorsOfARow(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	owner := database.Pool("")
	for name, statements := range map[string][2]string{
		"no right":  {`REVOKE INSERT ON ingest.batches FROM hp_ingest`, `GRANT INSERT ON ingest.batches TO hp_ingest`},
		"no column": {`ALTER TABLE ingest.batches RENAME COLUMN min_ts TO gone`, `ALTER TABLE ingest.batches RENAME COLUMN gone TO min_ts`},
		"no table":  {`ALTER TABLE ingest.batches RENAME TO gone`, `ALTER TABLE ingest.gone RENAME TO batches`},
	} {
		if _, err := owner.Exec(t.Context(), statements[0]); err != nil {
			t.Fatal(err)
		}
		_, err := store.StoreEvents(t.Context(), someEvents(2))
		if err == nil || errors.Is(err, committer.ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := owner.Exec(t.Context(), statements[1]); err != nil {
			t.Fatal(err)
		}
	}
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := store.StoreEvents(expired, someEvents(2)); !errs.Is(err, errs.Unavailable) || errors.Is(err, committer.ErrContent) {
		t.Errorf("after the deadline: %v", err)
	}
}
