package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// TestTimesThatHaveComeArePruned keeps the times of events that were moved, that have none of their own, or whose time is still ahead.
func TestTimesThatHaveComeArePruned(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	admin := database.Pool("")
	const fill = `
		INSERT INTO ingest.event_times (project, ts_sent, id, ts)
		SELECT 1, '2026-01-01'::timestamptz + n * interval '1 second', gen_random_uuid(), '2026-01-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 12000) AS n
		UNION ALL VALUES
			(1::smallint, now() + interval '50 minutes', gen_random_uuid(), now() + interval '50 minutes'),
			(1, '2030-01-01', gen_random_uuid(), '2026-01-01'),
			(1, '-infinity', gen_random_uuid(), '2026-01-01')`
	if _, err := admin.Exec(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	store := postgres.Store{Pool: database.Pool("hp_aggregator")}
	for _, want := range []int64{12_000, 0} {
		if n, err := store.PruneTimes(t.Context()); err != nil || n != want {
			t.Errorf("%d rows are deleted, %v; want %d", n, err, want)
		}
	}
	rows, err := admin.Query(t.Context(), `SELECT CASE WHEN ts_sent = '-infinity' THEN 'none' WHEN ts = ts_sent THEN 'ahead' ELSE 'moved' END FROM ingest.event_times ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if diff := cmp.Diff([]string{"ahead", "moved", "none"}, left); err != nil || diff != "" {
		t.Errorf("left, %v (-want +got):\n%s", err, diff)
	}
}
