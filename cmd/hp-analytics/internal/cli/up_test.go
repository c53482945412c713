package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestUp starts the platform, uses it, stops it and starts it again, as a new user does.
func TestUp(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	environ := []string{"DATA_DIR=" + dir, "PORT=0"}
	platform, url := up(t, environ...)
	log, err := os.ReadFile(filepath.Join(dir, "hp-analytics.log"))
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a second up is refused and touches nothing", func(t *testing.T) {
		code, out := run(t, []string{"up"}, environ...)
		if code != exitFailure || !strings.Contains(out, "in use by another HP Analytics (process "+strconv.Itoa(platform.cmd.Process.Pid)+")") {
			t.Errorf("exit code %d: %s", code, out)
		}
		if now, err := os.ReadFile(filepath.Join(dir, "hp-analytics.log")); err != nil || !strings.HasPrefix(string(now), string(log)) {
			t.Errorf("the log of the running platform was touched: %v", err)
		}
	})
	t.Run("a taken port is named", func(t *testing.T) {
		port := url[strings.LastIndex(url, ":")+1:]
		code, out := run(t, []string{"up"}, "DATA_DIR="+dataDir(t), "PORT="+port)
		if code != exitFailure || !strings.Contains(out, "port "+port+" is taken; choose another: make up PORT=") {
			t.Errorf("exit code %d: %s", code, out)
		}
	})
	t.Run("no login of Postgres has privileges of the server", func(t *testing.T) { wantPlainLogins(t, dir) })
	t.Run("every operation", func(t *testing.T) { exerciseContract(t, url, dir) })
	t.Run("demo", func(t *testing.T) {
		args := []string{"demo", "--url", url, "--events", "2000", "--days", "3", "--products", "20", "--users", "100"}
		for _, attempt := range []string{"first", "again"} { // the second run sends only duplicates
			if code, out := run(t, args, environ...); code != exitOK || !strings.Contains(out, "All numbers are equal.") {
				t.Fatalf("%s: exit code %d:\n%s", attempt, code, out)
			}
		}
	})
	t.Run("the README's tour, after the demo", func(t *testing.T) { takeTour(t, url, dir) })
	t.Run("reconcile beside it", func(t *testing.T) { wantNoDifferences(t, environ...) })
	t.Run("healthcheck", func(t *testing.T) {
		if code, out := run(t, []string{"healthcheck", "--url", url}); code != exitOK {
			t.Errorf("exit code %d: %s", code, out)
		}
	})

	if code := platform.stop(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, platform.output)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
	if code, _ := run(t, []string{"healthcheck", "--url", url}); code != exitFailure {
		t.Errorf("healthcheck of a stopped platform: exit code %d", code)
	}
	t.Run("reconcile without it", func(t *testing.T) { wantNoDifferences(t, environ...) })
	t.Run("nobody reads the output", func(t *testing.T) {
		wantQuietEnd(t, environ...)
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("left running: %q", left)
		}
	})

	again, _ := up(t, environ...)
	admin, found, err := readLogin(dir)
	if err != nil || !found {
		t.Fatalf("no login is stored: %v", err)
	}
	if got := adminLine(t, platform); got != admin.String() {
		t.Errorf("at the first start the admin is %q, want %q", got, admin)
	}
	if !strings.Contains(platform.output.String(), "Dashboard      "+url+"\n") {
		t.Errorf("the first start does not name the dashboard:\n%s", platform.output)
	}
	if got := adminLine(t, again); strings.Contains(again.output.String(), admin.Password) || !strings.Contains(got, loginFile(dir)) {
		t.Errorf("after a restart the admin is %q", got)
	}
	for _, want := range []string{
		"(a temporary one: DATA_DIR=" + dir + " bin/hp-analytics admin reset-password --email admin@example.com)",
		" DATA_DIR=" + dir + "      Stop it:",
	} {
		if !strings.Contains(again.output.String(), want) {
			t.Errorf("after a restart, no %q in:\n%s", want, again.output)
		}
	}
	if info, err := os.Stat(loginFile(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the stored login: %v, %v", info, err)
	}
	if code := again.stop(syscall.SIGINT); code != exitOK {
		t.Errorf("exit code %d after Ctrl-C:\n%s", code, again.output)
	}
}

// wantPlainLogins checks that the sessions of all services, and of commands such as migrate, belong to a login that has no
// privilege beyond its own database.
func wantPlainLogins(t *testing.T, dir string) {
	t.Helper()
	url, err := os.ReadFile(filepath.Join(dir, "database-url"))
	if err != nil {
		t.Fatal(err)
	}
	var services, plain int
	const sessions = `SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'hp_owner'`
	query(t, string(url), sessions, &services)
	if services < 6 { // the five services, and this one
		t.Errorf("%d kinds of sessions are those of the owner", services)
	}
	const privileged = `
		SELECT count(*)
		FROM pg_roles
		WHERE (rolname = session_user OR rolname LIKE 'hp\_%')
		  AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)`
	query(t, string(url), privileged, &plain)
	if plain != 0 {
		t.Errorf("%d logins and roles have privileges of the server", plain)
	}
	var login string
	query(t, string(url), `SELECT session_user::text`, &login)
	if login != "hp_owner" {
		t.Errorf("commands log in as %s", login)
	}
	var others int
	query(t, string(url), `
		SELECT count(*)
		FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> 'hp_owner'`, &others)
	if others != 0 {
		t.Errorf("%d sessions are those of another login", others)
	}
}

func wantNoDifferences(t *testing.T, environ ...string) {
	t.Helper()
	if code, out := run(t, []string{"reconcile"}, environ...); code != exitOK || !strings.Contains(out, ": 0 differences.\n") || strings.Contains(out, " 0 raw rows") {
		t.Errorf("reconcile: exit code %d:\n%s", code, out)
	}
}

func adminLine(t *testing.T, p *program) string {
	t.Helper()
	for line := range strings.Lines(p.output.String()) {
		if admin, ok := strings.CutPrefix(strings.TrimSpace(line), "Admin "); ok {
			return strings.TrimSpace(admin)
		}
	}
	t.Fatalf("no admin in:\n%s", p.output)
	return ""
}

// TestKilledInTheMiddle kills the platform during a demo and restarts it: the demo must succeed.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	platform, url := up(t, "DATA_DIR="+dir, "PORT=0")
	port := url[strings.LastIndex(url, ":")+1:]
	demo := start(t, []string{"demo", "--url", url, "--events", "50000", "--days", "5", "--users", "300"}, "DATA_DIR="+dir)
	for range 2 {
		stored := batches(t, dir)
		platformtest.Eventually(t, time.Minute, "the demo is in the middle", func() bool { return batches(t, dir) > stored+2 })
		platform.stop(syscall.SIGKILL)
		platform, _ = up(t, "DATA_DIR="+dir, "PORT="+port)
	}
	if code := demo.wait(); code != exitOK || !strings.Contains(demo.output.String(), "All numbers are equal.") {
		t.Errorf("demo: exit code %d:\n%s", code, demo.output)
	}
	if strings.Contains(demo.output.String(), " 0 retries") {
		t.Errorf("the demo was over before the platform was killed:\n%s", demo.output)
	}
	wantNoDifferences(t, "DATA_DIR="+dir)
	platform.stop(syscall.SIGTERM)
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
}

// batches returns the number of batches that the running platform of a data directory has stored.
func batches(t *testing.T, dir string) (n int) {
	t.Helper()
	url, err := os.ReadFile(filepath.Join(dir, "database-url"))
	if err != nil {
		t.Fatal(err)
	}
	query(t, string(url), `SELECT count(*) FROM ingest.batches`, &n)
	return n
}

// TestDependenciesAway stops Redis and Postgres and wipes Redis during a demo.
func TestDependenciesAway(t *testing.T) {
	t.Parallel()
	database, cache := dbtest.StartServer(t), redistest.StartServer(t)
	environ := []string{
		"DATA_DIR=" + dataDir(t), "PORT=0", "DATABASE_URL=" + database.URL(), "REDIS_URL=" + string(cache.Config().URL),
		"ADMIN_EMAIL=root@example.com", "ADMIN_PASSWORD=correct horse battery",
	}
	platform, url := up(t, environ...)
	if got := adminLine(t, platform); strings.Contains(got, "correct horse") || !strings.Contains(got, "root@example.com") {
		t.Errorf("the console says of the admin: %s", got)
	}
	demo := start(t, []string{"demo", "--url", url, "--events", "50000", "--days", "5", "--users", "300"}, environ...)
	stored := func() (n int) {
		query(t, database.URL(), `SELECT count(*) FROM ingest.batches`, &n)
		return n
	}
	progress := func(what string) {
		t.Helper()
		before := stored()
		platformtest.Eventually(t, time.Minute, what, func() bool { return stored() > before })
	}
	progress("the demo is sending")
	cache.FlushAll()
	progress("writes go on after Redis was wiped")
	cache.Stop()
	progress("writes go on without Redis")
	if status := get(t, url+"/ready"); status != http.StatusOK {
		t.Errorf("/ready answers %d without Redis", status)
	}
	database.Stop()
	platformtest.Eventually(t, 10*time.Second, "/ready says that Postgres is away", func() bool {
		return get(t, url+"/ready") == http.StatusServiceUnavailable
	})
	if status := get(t, url+"/health"); status != http.StatusOK {
		t.Errorf("/health answers %d without Postgres", status)
	}
	database.Restart()
	cache.Restart()

	if code := demo.wait(); code != exitOK || !strings.Contains(demo.output.String(), "All numbers are equal.") {
		t.Errorf("demo: exit code %d:\n%s", code, demo.output)
	}
	wantNoDifferences(t, environ...)
	if code := platform.stop(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, platform.output)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
