package rebuild_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	aggregatorpostgres "github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild/internal/postgres"
)

// TestTheSnapshotMayBeIdle lets the snapshot of a rebuild do nothing for longer than other transactions may, as it does while a
// day is counted.
func TestTheSnapshotMayBeIdle(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	cfg := platformpostgres.Config{
		URL: config.URL(b.url), MaxConns: 4, ConnectTimeout: time.Minute, StatementTimeout: time.Minute, IdleTransactionTimeout: 3 * time.Second,
	}
	pool, err := platformpostgres.Open(t.Context(), cfg, "hp_aggregator", "test", platformtest.Deps(t).TracerProvider)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	session, err := postgres.Start(t.Context(), pool, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	projects, err := session.Projects(t.Context(), "")
	if err != nil || len(projects) != 1 {
		t.Fatalf("%+v, %v", projects, err)
	}
	var rows int64
	ok, err := session.Read(t.Context(), aggregatorpostgres.ScopeOf(projects[0], b.day(0), b.day(0)), func(snapshot *aggregatorpostgres.Snapshot) (err error) {
		if _, err := b.pool.Exec(t.Context(), `SELECT pg_sleep(4)`); err != nil {
			return err
		}
		rows, err = session.Count(t.Context(), snapshot)
		return err
	})
	if err != nil || !ok || rows == 0 {
		t.Errorf("%d rows, %t, %v", rows, ok, err)
	}
}
