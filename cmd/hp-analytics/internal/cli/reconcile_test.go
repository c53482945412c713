package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

// The days without raw rows are one line, however many there are.
func TestReconcileNamesDroppedDaysOnce(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var days []time.Time
	for i := range 400 {
		days = append(days, first.AddDate(0, 0, i))
	}
	var out strings.Builder
	if err := (environment{stdout: &out}).report(reconcile.Report{Unchecked: []reconcile.Unchecked{{Project: "shop", Days: days}}}, time.Second); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "shop: 400 days dropped (2026-01-01 to 2027-02-04): not checked") || strings.Count(got, "\n") != 2 {
		t.Errorf("reconcile says:\n%s", got)
	}
}

// A standby can be recounted, although it records nothing.
func TestReconcileAReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	var out strings.Builder
	url := database.URL() + "&default_transaction_read_only=on&target_session_attrs=any"
	code := Run(t.Context(), []string{"reconcile"}, []string{"DATABASE_URL=" + url, "LOG_LEVEL=error"}, &out, &out)
	if got := out.String(); code != exitOK || !strings.Contains(got, "Recounted 1 project, ") || !strings.Contains(got, "This result is not recorded, because the database is read-only") {
		t.Errorf("exit code %d:\n%s", code, got)
	}
}

// Without --details, the first differences are printed, and how many each table has.
func TestReconcileSumsUp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	details := &firstLines{out: &out, left: 2}
	for range 5 {
		if n, err := details.Write([]byte("a difference\n")); n != 13 || err != nil {
			t.Fatalf("wrote %d bytes, %v", n, err)
		}
	}
	if details.more != 3 {
		t.Errorf("%d differences are not shown, want 3", details.more)
	}
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := (environment{stdout: &out}).report(reconcile.Report{Differences: 5, Tables: []reconcile.Table{
		{Project: "default", Name: "ingest.batches", Differences: 1},
		{Project: "shop", Name: "stats.daily", Differences: 4, First: first, Last: first.AddDate(0, 0, 2)},
	}}, time.Second)
	if err == nil {
		t.Error("differences are no error")
	}
	const want = "a difference\na difference\ndefault ingest.batches: 1 difference\nshop stats.daily: 4 differences, 2026-01-01 to 2026-01-03\n"
	if got := out.String(); !strings.HasPrefix(got, want) {
		t.Errorf("reconcile says:\n%s", got)
	}
}

// The refusal of a rebuild names the first day that can be rebuilt.
func TestPossibleDays(t *testing.T) {
	t.Parallel()
	day := func(d int) localtime.Day { return localtime.DayOfDate(time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC)) }
	days := rebuild.Options{From: day(1), To: day(3)}
	if got := possibleDays(days, []localtime.Day{day(1)}); !strings.HasSuffix(got, " is 2026-03-02") {
		t.Error(got)
	}
	if got := possibleDays(days, []localtime.Day{day(1), day(2), day(3)}); !strings.HasPrefix(got, "no day ") {
		t.Error(got)
	}
}

// An erasure that runs explains differences, so reconcile names it.
func TestReconcileDuringAnErasure(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	execute(t, database.URL(), `INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by, state, phase, epoch, started_at)
		VALUES (1, gen_random_uuid(), false, 'ada', sha256('salt'), sha256('x'), 'key:1', 'running', 'rows', 1, now())`)
	for project, want := range map[string]bool{"default": true, "other": false} {
		execute(t, database.URL(), `INSERT INTO auth.projects (slug, name) VALUES ('other', 'Other') ON CONFLICT DO NOTHING`)
		var out strings.Builder
		code := Run(t.Context(), []string{"reconcile", "--project=" + project}, []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}, &out, &out)
		if got := strings.Contains(out.String(), "erasures of users that run: 1. Until they are done"); code != exitOK || got != want {
			t.Errorf("%s: exit code %d:\n%s", project, code, out.String())
		}
	}
}
