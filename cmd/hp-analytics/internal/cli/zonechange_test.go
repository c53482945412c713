package cli

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// TestWaitForATimeZone changes the zone of a project and waits, while somebody else takes the steps.
func TestWaitForATimeZone(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	command := commander{t, []string{"DATABASE_URL=" + database.URL()}}.run
	pool := database.Pool("hp_aggregator")
	if _, err := database.Pool("").Exec(t.Context(), `
		INSERT INTO stats.daily_stats (project, day, lane, events) VALUES (1, '2026-03-01', 0, 7);
		INSERT INTO stats.hourly_stats (project, hour, lane, events) VALUES (1, '2026-03-01T12:00:00Z', 0, 7);
		INSERT INTO ingest.dropped_days (project, day) VALUES (1, '2026-03-02')`); err != nil {
		t.Fatal(err)
	}
	command(exitOK, `the numbers are moved from UTC to Asia/Tokyo; projects list shows`, "admin", "projects", "set", "default", "--time-zone=Asia/Tokyo")
	command(exitOK, `default +Default +Asia/Tokyo \(waiting: 0 of 0 days\) +EUR`, "admin", "projects", "list")
	var shown string
	var waiting sync.WaitGroup
	waiting.Go(func() {
		shown = command(exitOK, "are counted by Europe/Berlin", "admin", "projects", "set", "default", "--time-zone=Europe/Berlin", "--wait")
	})
	platformtest.Eventually(t, time.Minute, "the change is asked for", func() bool {
		var asked bool
		err := database.Pool("").QueryRow(t.Context(), `SELECT time_zone = 'Europe/Berlin' FROM auth.projects WHERE id = 1`).Scan(&asked)
		return err == nil && asked
	})
	for {
		step, err := rebuild.MoveZone(t.Context(), pool, "default", time.Now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if step.Finished {
			break
		}
	}
	waiting.Wait()
	if !strings.Contains(shown, "0 days are counted by Europe/Berlin; 1 day before keep the former zone") {
		t.Errorf("shown:\n%s", shown)
	}
	command(exitOK, `default +Default +Europe/Berlin +EUR`, "admin", "projects", "list")
	command(exitOK, `\$|is at version 3`, "admin", "projects", "set", "default", "--time-zone=Europe/Berlin", "--wait") // the same zone is no change
}
