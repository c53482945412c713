package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

// TestAStatementOfAnExportTakesItsTime lets a statement of an export wait for a lock for longer than other statements may take.
func TestAStatementOfAnExportTakesItsTime(t *testing.T) {
	t.Parallel()
	_, database := newStore(t)
	admin := database.Pool("")
	if _, err := admin.Exec(t.Context(), `INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE VALUES (1, false, 1000900, 'an exported user')`); err != nil {
		t.Fatal(err)
	}
	cfg := database.Config()
	cfg.StatementTimeout = 500 * time.Millisecond
	pool, err := postgres.Open(t.Context(), cfg, "hp_ingest", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	lock, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := lock.Exec(t.Context(), `LOCK TABLE stats.user_daily`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		request := userexport.Request{Project: 1, Subject: "an exported user"}
		_, err := New(pool, prometheus.NewRegistry()).ExportUser(ctx, request, func(userexport.Line) error { return nil })
		ended <- err
	}()
	platformtest.Eventually(t, time.Minute, "the export waits, or is ended", func() bool {
		return len(ended) == 1 || count(t, database, `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND datname = current_database() AND now() - query_start > '600ms'`) == 1
	})
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The first rows of an export are read without the rest, however many ids a person has: a gateway ends an answer that does not begin.
func TestAnExportBeginsAtOnce(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.insert(samples(january, 60, 7)...)
	a.trade(2000)
	a.exec(`ANALYZE ingest.events, ingest.orders, ingest.refunds`)
	e := userExport{project: 1, numbers: []int64{ada, later}}
	for table, index := range map[string]string{"events": "user_n_ts_idx", "orders": "user_ts_idx", "refunds": "user_ts_idx"} {
		q := query{text: "SELECT r.ts"}
		q.text += e.ofPerson(&q, "ingest."+table, "r") + " LIMIT 10"
		a.checkScans(table, a.explain(t.Context(), q), index, 100, 20) // an incremental sort by id reads 33 rows of about one time
	}
}
