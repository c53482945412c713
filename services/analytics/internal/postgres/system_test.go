package postgres

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestSystem reads the state of an installation in which everything happens at once.
func TestSystem(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	for _, statement := range []string{
		`INSERT INTO ingest.batches (id, rows, project, kind, min_ts, max_ts, received_at) VALUES
			(1, 5, 1, 'events', now(), now(), now() - interval '1 minute'), (2, 7, 1, 'orders', now(), now(), now())`,
		`INSERT INTO ingest.batches (id, rows, project, kind, min_ts, max_ts, aggregated_at) VALUES (3, 100, 1, 'events', now(), now(), now())`,
		`INSERT INTO ingest.batches (id, rows, project, kind, min_ts, max_ts, failed_at, next_attempt_at, failure, attempts)
			VALUES (4, 3, 1, 'refunds', now(), now(), now(), now(), 'broken', 2)`,
		`INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by, state, phase, epoch, started_at, held_by, last_error)
			VALUES (1, gen_random_uuid(), false, 'u', decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), 'test', 'running', 'writers', 1, now(), '{4}', 'x')`,
		`INSERT INTO stats.reconciles (begun_at, rows, compared, days, differences, project) VALUES (now(), 90, 80, 7, 1, 1), (now(), 91, 80, 7, 0, 1)`,
		`INSERT INTO stats.reconciles (begun_at, from_day, rows, compared, days, differences, project) VALUES (now(), '2026-01-01', 1, 1, 1, 9, 1)`,
		`INSERT INTO stats.zone_changes (project, from_zone, to_zone, days_done, days_total, failure) VALUES (1, 'UTC', 'Europe/Berlin', 2, 5, 'x')`,
		`INSERT INTO stats.daily_stats (project, day, lane, events) VALUES (1, (now() AT TIME ZONE 'UTC')::date, 0, 40), (1, (now() AT TIME ZONE 'UTC')::date, 1, 2)`,
	} {
		i.exec(statement)
	}
	state, err := i.System(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := state.Pending; p.Batches != 2 || p.Rows != 12 || p.Oldest == nil || time.Since(*p.Oldest) < 50*time.Second {
		t.Errorf("pending: %+v", p)
	}
	if p := state.Projects; len(p) != 1 || p[0].Project != "default" || p[0].Batches != 2 || p[0].Rows != 12 {
		t.Errorf("pending by project: %+v", p)
	}
	if f, b := state.Failed, state.Batches; f.Batches != 1 || f.Rows != 3 || len(b) != 1 || b[0].ID != 4 || b[0].Kind != "refunds" {
		t.Errorf("failed: %+v, %+v", f, b)
	}
	if r := state.Reconciles; len(r) != 1 || r[0].Rows != 91 || r[0].Days != 7 || r[0].Differences != 0 {
		t.Errorf("reconciles: %+v", r)
	}
	if e := state.Erasures; state.OpenErasures != 1 || len(e) != 1 || e[0].Phase != "writers" || e[0].HeldBy != 1 || !e[0].Failing {
		t.Errorf("erasures: %+v", e)
	}
	if c := state.ZoneChanges; len(c) != 1 || c[0].To != "Europe/Berlin" || c[0].Done != 2 || c[0].Total != 5 || !c[0].Failing {
		t.Errorf("changes of time zones: %+v", c)
	}
	if d := state.Days; len(d) != 1 || d[0].Events != 42 {
		t.Errorf("days: %+v", d)
	}
	if len(state.Tables) != 20 || state.Tables[0].Bytes == 0 || state.Bytes == 0 || state.Schema == 0 || state.Postgres == "" || state.Lanes != 0 {
		t.Errorf("storage and versions: %+v", state)
	}
}

// TestSystemSeesFoldingLanes counts the lanes that folds hold at the moment.
func TestSystemSeesFoldingLanes(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	tx, err := database.Pool("hp_aggregator").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	for _, lane := range []int16{0, 5} {
		if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1, $2)`, locks.Lane(lane).Class(), locks.Lane(lane).ID()); err != nil {
			t.Fatal(err)
		}
	}
	state, err := New(database.Pool("hp_analytics")).System(t.Context())
	if err != nil || state.Lanes != 2 {
		t.Errorf("%d lanes are held, %v", state.Lanes, err)
	}
}
