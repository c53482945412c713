package host_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// setAside adds a batch with 3 rows that cannot be folded, and is not tried again for a day.
func (s shop) setAside() {
	s.t.Helper()
	const insert = `
		INSERT INTO ingest.batches (id, rows, project, kind, min_ts, max_ts, failed_at, next_attempt_at, failure, attempts)
		SELECT nextval('ingest.batch_ids'), 3, 1, 'events', now(), now(), now(), now() + interval '1 day', 'broken', 1`
	if _, err := s.database.Pool("").Exec(s.t.Context(), insert); err != nil {
		s.t.Fatal(err)
	}
}

// TestSystem reads the state of a platform that runs: its worker, its queue, what is stored, and a batch that is set aside.
func TestSystem(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	s.setAside()
	system := func() map[string]any { return s.send(http.MethodGet, "/system", s.admin, "") }
	platformtest.Eventually(t, time.Minute, "the worker has given a sign of life", func() bool { // a state is used again for 5 s
		workers, ok := system()["workers"].([]any)
		return ok && len(workers) == 1
	})
	state := system()
	has(t, state["failed"].(map[string]any), map[string]string{"batches": "1", "rows": "3"})
	has(t, state["pending"].(map[string]any), map[string]string{"batches": "0", "oldest_at": "<nil>"})
	has(t, state["queue"].(map[string]any), map[string]string{"paused": "false", "archived": "0"})
	if days := state["storage"].(map[string]any)["days"].([]any); len(days) != 1 || days[0].(map[string]any)["events"] != 4.0 {
		t.Errorf("the days are %v", days)
	}
	findings := state["findings"].([]any)
	if !slices.ContainsFunc(findings, func(f any) bool {
		found := f.(map[string]any)
		return found["check"] == "failed" && found["level"] == "problem" && found["says"] == "1 batch set aside, because folding fails: 3 rows missing from the numbers"
	}) {
		t.Errorf("the findings are %v", findings)
	}
	if status, _ := s.do(http.MethodGet, "/system", s.user, "", ""); status != http.StatusForbidden {
		t.Errorf("a user gets %d", status)
	}
}

// TestDashboardSystem shows what the doctor says, and figures that are read again on request.
func TestDashboardSystem(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/system")
	b.signIn("admin@example.com")
	b.until(rows("Events by day") + `[0]?.[1] === "4" && ` + rows("Largest tables") + `.some(cells => cells[0] === "ingest.events")`)
	b.sees("Nothing waits.")
	b.sees("default: its numbers were never recounted as a whole")
	b.sees("What to do: hp-analytics reconcile (every night, from cron)")
	s.setAside()
	platformtest.Eventually(t, time.Minute, "the API knows of the batch", func() bool {
		return s.send(http.MethodGet, "/system", s.admin, "")["failed"].(map[string]any)["batches"] == 1.0
	})
	b.follow("Refresh")
	b.sees("1 batch set aside, because folding fails: 3 rows missing")
	b.until(rows("Failed batches") + `[0]?.[2] === "3"`)
	b.do(chromedp.Click(`.card summary`))
	b.sees("queue, workers:")
	b.clean()
}
