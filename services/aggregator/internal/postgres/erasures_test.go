package postgres_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Erasures that are done are not among those that are open.
func TestErasuresThatAreOpen(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	store := postgres.Store{Pool: database.Pool("hp_aggregator")}
	if e, err := store.Erasures(t.Context()); err != nil || e != (postgres.Erasures{}) {
		t.Errorf("without erasures: %+v, %v", e, err)
	}
	owner := database.Pool("")
	for _, sql := range []string{
		`INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by, requested_at)
			SELECT 1, gen_random_uuid(), false, 'user ' || days, sha256('salt'), sha256('x'), 'key:1', now() - days * interval '1 day' FROM generate_series(1, 3) AS days`,
		`UPDATE ingest.erasures SET state = 'done', phase = 'done', subject = NULL, epoch = 1, started_at = now(), finished_at = now() WHERE subject = 'user 3'`,
		`UPDATE ingest.erasures SET state = 'running', phase = 'writers', epoch = 2, started_at = now() WHERE subject = 'user 1'`,
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	e, err := store.Erasures(t.Context())
	if err != nil || e.Open != 2 || e.Oldest.Round(time.Hour) != 48*time.Hour {
		t.Errorf("%+v, %v", e, err)
	}
}
