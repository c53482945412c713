package cli

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/doctor"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestDoctorOfThePrivatePlatform looks at what `up` starts, without any settings: while it runs, and afterwards.
func TestDoctorOfThePrivatePlatform(t *testing.T) {
	t.Parallel()
	environ := []string{"DATA_DIR=" + dataDir(t), "PORT=0"}
	p, url := up(t, environ...)
	var out string
	platformtest.Eventually(t, time.Minute, "all is well", func() bool { // partitions are made, and workers register, within seconds
		var code int
		code, out = run(t, []string{"doctor", "--url", url}, environ...)
		return code == exitOK
	})
	for _, text := range []string{"ok      version: Postgres 1", "ok      login: the login hp_owner is no superuser", "are free", "queue\n", "is ready", ", 0 to look at, 0 wrong.\n"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in:\n%s", text, out)
		}
	}
	if code, out := run(t, []string{"queue"}, environ...); code != exitOK || !strings.Contains(out, "WORKER") || strings.Contains(out, "No aggregator") {
		t.Errorf("queue: exit code %d:\n%s", code, out)
	}
	p.stop(syscall.SIGTERM)
	code, out := run(t, []string{"doctor", "--json"}, environ...)
	var report struct {
		Status   doctor.Level
		Findings []doctor.Finding
	}
	if err := json.Unmarshal([]byte(strings.TrimSuffix(out, "hp-analytics: there are problems\n")), &report); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var wrong []string
	for _, f := range report.Findings {
		if f.Level != doctor.OK {
			wrong = append(wrong, f.Area+"/"+f.Check)
		}
	}
	if code != exitUsage || report.Status != doctor.Problem || strings.Join(wrong, " ") != "queue/workers" {
		t.Errorf("without the services: exit code %d, %s, wrong: %v", code, report.Status, wrong)
	}
}

// TestDoctorWarns: the server of the tests is not durable, and a database without anything in it has no partitions.
func TestDoctorWarns(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	var out strings.Builder
	code := Run(t.Context(), []string{"doctor"}, []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}, &out, &out)
	if code != exitUsage || !strings.Contains(out.String(), "PROBLEM durability: fsync is off") || strings.Contains(out.String(), "\nredis") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
}

// TestQueueCommand shows, lists, runs and deletes tasks.
func TestQueueCommand(t *testing.T) {
	t.Parallel()
	database, cache := dbtest.New(t), redistest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "REDIS_URL=" + string(cache.URL), "REDIS_NAMESPACE=" + cache.Namespace, "LOG_LEVEL=error"}
	command := func(code int, want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if got := Run(t.Context(), append([]string{"queue"}, args...), environ, &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, want %d; no %q in: %s", args, got, code, want, out.String())
		}
	}
	command(exitOK, "No aggregator takes tasks from this queue.")
	command(exitOK, "0 tasks", "list", "pending")
	command(exitFailure, "there is no queue yet", "run", "--archived")
	client := redistest.ClientOf(t, cache, postgres.Identity(database.Pool("")))
	for range 3 {
		if err := protocol.BatchReady.Enqueue(t.Context(), tasks.NewClient(client, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	queue := redistest.Queue(t, client, protocol.BatchReady.Queue)
	inspector := asynq.NewInspectorFromRedisClient(client)
	pending, err := inspector.ListPendingTasks(queue)
	if err != nil || len(pending) != 3 {
		t.Fatalf("%d tasks, %v", len(pending), err)
	}
	first, second := pending[0].ID, pending[1].ID
	command(exitOK, queue+"  running  3        0       0      0 ")
	command(exitOK, `"pending": 3,`, "--json")
	command(exitOK, first+" aggregate:batch, try 1 of 4\n", "list", "pending", "--limit=3")
	command(exitOK, "pause: the queue "+queue, "pause")
	command(exitOK, "  paused  ")
	command(exitOK, "resume: the queue "+queue, "resume")
	command(exitFailure, "task "+first+" is pending, not archived: nothing is done to it", "delete", first)
	if _, err := inspector.ArchiveAllPendingTasks(queue); err != nil {
		t.Fatal(err)
	}
	command(exitOK, "3 tasks\n", "list", "archived")
	command(exitOK, "run: 1 archived task\n", "run", first)
	command(exitOK, "delete: 1 archived task\n", "delete", second)
	command(exitOK, "run: 1 archived task\n", "run", "--archived")
	command(exitOK, "delete: 0 archived tasks\n", "delete", "--archived")
	command(exitOK, `"pending": 2,`, "--json")
	command(exitUsage, "name the ids of archived tasks", "delete")
	command(exitUsage, "pending, active, retry or archived", "list", "lost")
	command(exitUsage, `unknown command "x"`, "x")
	// What changed the queue is in the audit log, and only that.
	const log = `SELECT string_agg(action || ' ' || subject || ' ' || details, E'\n' ORDER BY id) FROM audit.log WHERE actor_kind = 'command'`
	var recorded string
	if err := database.Pool("").QueryRow(t.Context(), log).Scan(&recorded); err != nil {
		t.Fatal(err)
	}
	of := " queue:" + queue + " "
	want := []string{
		"queue.pause" + of + "{}", "queue.resume" + of + "{}", "queue.delete" + of + `{"tasks": ["` + first + `"]}`,
		"queue.run" + of + `{"tasks": ["` + first + `"]}`, "queue.delete" + of + `{"tasks": ["` + second + `"]}`,
		"queue.run" + of + `{"archived": true}`, "queue.delete" + of + `{"archived": true}`,
	}
	if recorded != strings.Join(want, "\n") {
		t.Errorf("the audit log has:\n%s\nwant:\n%s", recorded, strings.Join(want, "\n"))
	}
	environ = environ[:1]
	command(exitUsage, "set REDIS_URL")
}
