package cli

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestUsage checks that errors in the command line and the environment are reported together, with exit code 2.
func TestUsage(t *testing.T) {
	t.Parallel()
	nowhere := "DATA_DIR=" + t.TempDir()
	for name, test := range map[string]struct {
		args    []string
		environ []string
		code    int
		want    []string
	}{
		"unknown command":     {[]string{"start"}, nil, exitUsage, []string{`unknown command "start"`}},
		"unknown subcommand":  {[]string{"keys", "revok", "x"}, nil, exitUsage, []string{`unknown command "revok" for "hp-analytics keys"`}},
		"a group of commands": {[]string{"admin"}, nil, exitOK, []string{"Available Commands:", "reset-password"}},
		"unwanted argument":   {[]string{"reconcile", "bogus"}, nil, exitUsage, []string{"bogus"}},
		"missing argument":    {[]string{"keys", "revoke"}, nil, exitUsage, []string{"accepts 1 arg(s), received 0"}},
		"missing flag":        {[]string{"admin", "disable"}, nil, exitUsage, []string{`required flag(s) "email" not set`}},
		"key without end":     {[]string{"keys", "create", "--account=a", "--name=n", "--scopes=read", "--expires-in=soon"}, nil, exitUsage, []string{"--expires-in", "90d"}},
		"up, all problems at once": {
			[]string{"up", "--check-config"},
			[]string{"PORT=99999", "HOST=foo:1", "REGISTRATION=x", "LOG_LEVEL=loud", "INGEST_RATE_LIMIT=-1", "ADMIN_EMAIL=a"},
			exitUsage,
			[]string{"PORT:", "HOST:", "REGISTRATION:", "LOG_LEVEL:", "INGEST_RATE_LIMIT:", "ADMIN_PASSWORD:"},
		},
		"up --check-config":      {[]string{"up", "--check-config"}, []string{nowhere}, exitOK, []string{"valid"}},
		"database of admin":      {[]string{"admin", "reset-password", "--help"}, nil, exitOK, []string{"within 24 hours", "the private one of DATA_DIR"}},
		"database of migrate":    {[]string{"migrate", "up", "--help"}, nil, exitOK, []string{"the private one of DATA_DIR"}},
		"database of keys":       {[]string{"keys", "create", "--help"}, nil, exitOK, []string{"the private one of DATA_DIR"}},
		"unknown flag":           {[]string{"up", "--fast"}, nil, exitUsage, []string{"unknown flag: --fast"}},
		"unknown target":         {[]string{"serve", "--target=web"}, nil, exitUsage, []string{`"web"`, "all, auth, catalog, ingest, analytics, aggregator"}},
		"bad environment":        {[]string{"up"}, []string{"PORT=70000", "ADMIN_EMAIL=a@example.com"}, exitUsage, []string{"PORT:", "ADMIN_PASSWORD:"}},
		"bad services' settings": {[]string{"up"}, []string{"PORT=0", nowhere + "/x", "DATABASE_URL=postgres://h/d", "REDIS_URL=redis://h", "ACCESS_TOKEN_TTL=99h", "AGGREGATOR_LANES=0"}, exitUsage, []string{"ACCESS_TOKEN_TTL:", "AGGREGATOR_LANES:"}},
		"serve without database": {[]string{"serve"}, nil, exitUsage, []string{"DATABASE_URL:", "REDIS_URL:"}},
		"check-config":           {[]string{"serve", "--check-config"}, []string{"DATABASE_URL=postgres://h/d", "REDIS_URL=redis://h"}, exitOK, []string{"valid"}},
		"check-config, invalid":  {[]string{"serve", "--check-config", "--target=ingest"}, []string{"REDIS_URL=redis://h"}, exitUsage, []string{"DATABASE_URL:"}},
		"no database":            {[]string{"migrate", "status"}, []string{nowhere}, exitUsage, []string{"DATABASE_URL", "DATA_DIR"}},
		"reconcile of what":      {[]string{"reconcile", "--from", "yesterday", "--to=1"}, nil, exitUsage, []string{"--from:", "--to:"}},
		"erasure of nobody":      {[]string{"verify-erasure"}, nil, exitUsage, []string{"name a receipt or a user"}},
		"erasure by a word":      {[]string{"verify-erasure", "x"}, nil, exitUsage, []string{`"x" is no receipt`}},
		"reconcile backwards":    {[]string{"reconcile", "--from=2026-12-30", "--to=2026-12-01"}, nil, exitUsage, []string{"must not be before --from"}},
		"rebuild of what":        {[]string{"rebuild", "--from", "2026-13-01", "--to=1"}, nil, exitUsage, []string{"--from:", "--to:"}},
		"rebuild of all":         {[]string{"rebuild", "--from", "2026-01-01"}, nil, exitUsage, []string{"both are required"}},
		"rebuild backwards":      {[]string{"rebuild", "--from=2026-01-02", "--to=2026-01-01"}, nil, exitUsage, []string{"must not be before --from"}},
		"odd retention":          {[]string{"retention"}, []string{"RETENTION_DAYS=0", nowhere}, exitUsage, []string{"RETENTION_DAYS:"}},
		"odd role":               {[]string{"admin", "create", "--email=a@example.com", "--role=root"}, nil, exitUsage, []string{"--role:"}},
		"invite to what":         {[]string{"admin", "invite", "--role=root"}, nil, exitUsage, []string{"--role:"}},
		"invite for a year":      {[]string{"admin", "invite", "--valid=8760h"}, nil, exitUsage, []string{"--valid:"}},
		"revoke what":            {[]string{"admin", "revoke-invitation", "x"}, nil, exitUsage, []string{"invitation"}},
		"odd registration":       {[]string{"serve", "--check-config", "--target=auth"}, []string{"DATABASE_URL=postgres://h/d", "REDIS_URL=redis://h", "REGISTRATION=maybe"}, exitUsage, []string{"REGISTRATION:"}},
		"import of nothing":      {[]string{"import"}, nil, exitUsage, []string{"name the files to import"}},
		"import without mapping": {[]string{"import", "x.csv"}, nil, exitUsage, []string{"--mapping"}},
		"import without a file":  {[]string{"import", "--mapping=/none", "x.csv"}, nil, exitUsage, []string{"read the mapping"}},
		"import too wide":        {[]string{"import", "--in-flight=65", "x.csv"}, nil, exitUsage, []string{"in-flight must be from 1 to 64"}},
		"demo without admin":     {[]string{"demo"}, []string{nowhere}, exitUsage, []string{"ADMIN_EMAIL"}},
		"demo of what":           {[]string{"demo", "--events=-1"}, nil, exitUsage, []string{"events"}},
		"demo of no service":     {[]string{"demo", "--service-url=aggregator=http://h"}, nil, exitUsage, []string{"--service-url", "auth, catalog, ingest, analytics"}},
		"database never comes":   {[]string{"migrate", "up", "--wait=500ms"}, []string{"DATABASE_URL=postgres://127.0.0.1:1/d"}, exitFailure, []string{"wait 500ms for the database", "refused"}},
		"version":                {[]string{"version"}, nil, exitOK, []string{"\n"}},
		"doctor of what":         {[]string{"doctor", "--url=localhost:8080"}, nil, exitUsage, []string{"--url", "must begin with http:// or https://", `"localhost:8080"`}},
		"demo of what host":      {[]string{"demo", "--url=//"}, nil, exitUsage, []string{"--url", "such as http://localhost:8080"}},
		"a port in words":        {[]string{"up", "--check-config"}, []string{"PORT=http"}, exitUsage, []string{`PORT: must be a number, not "http"`}},
		"tasks of what":          {[]string{"queue", "list", "done"}, nil, exitUsage, []string{`pending, active, retry or archived, not "done"`}},
		"tasks of no length":     {[]string{"queue", "list", "retry", "--limit=0"}, nil, exitUsage, []string{"--limit must be at least 1, not 0"}},
		"tasks without ids":      {[]string{"queue", "run"}, nil, exitUsage, []string{"hp-analytics queue list archived"}},
		"import of what host":    {[]string{"import", "--url=localhost", "--mapping=m", "x.csv"}, nil, exitUsage, []string{"--url", `not "localhost"`}},
		"nothing listens":        {[]string{"healthcheck", "--url=http://127.0.0.1:1"}, nil, exitFailure, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if code := Run(t.Context(), test.args, test.environ, &out, &out); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in: %s", want, out.String())
				}
			}
		})
	}
}

// TestOwnDatabase runs the commands that use an existing database.
func TestOwnDatabase(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	command := func(want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if code := Run(t.Context(), args, environ, &out, &out); code != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, no %q in: %s", args, code, want, out.String())
		}
	}
	command("up to date", "migrate", "status")
	command("pending", "migrate", "down", "--steps=1")
	command("up to date", "migrate", "up")
	command("Ada@example.com is created with the role analyst", "admin", "create", "--email=Ada@example.com", "--role=analyst")
	command("first@example.com is created with the role admin", "admin", "create", "--email=first@example.com", "--if-none")
	var again strings.Builder
	if code := Run(t.Context(), []string{"admin", "create", "--email=second@example.com", "--if-none"}, environ, &again, &again); code != exitOK || again.String() != "" {
		t.Errorf("a second first admin: exit code %d: %s", code, again.String())
	}
	command("ada@example.com must log in with a new password before", "admin", "reset-password", "--email=ada@example.com")
	command("ADA@example.com is disabled", "admin", "disable", "--email=ADA@example.com")
	command("ada@example.com is enabled", "admin", "enable", "--email=ada@example.com")
	command("ada@example.com is logged out", "admin", "end-sessions", "--email=ada@example.com")
	command("ada@example.com    user   ", "admin", "list")
	command("for an account with the role analyst, valid for 48h0m0s: hpi_", "admin", "invite", "--role=analyst", "--valid=48h")
	const id = "0195a3f0-2b6d-7f21-8c4e-5a9d3e7b1f60"
	execute(t, database.URL(), `UPDATE auth.invitations SET id = '`+id+`'`)
	command("invitation "+id+" is revoked", "admin", "revoke-invitation", id)
	execute(t, database.URL(), `UPDATE auth.invitations SET used_at = now(), revoked_at = NULL`)
	var used strings.Builder
	if code := Run(t.Context(), []string{"admin", "revoke-invitation", id}, environ, &used, &used); code != exitFailure || !strings.Contains(used.String(), "An account used the invitation: one that is gone.") {
		t.Errorf("a used invitation is revoked: exit code %d: %s", code, used.String())
	}
	var nobody strings.Builder
	if code := Run(t.Context(), []string{"admin", "disable", "--email=nobody@example.com"}, environ, &nobody, &nobody); code != exitUsage || !strings.Contains(nobody.String(), ": There is no account with the e-mail address nobody@example.com.\n") {
		t.Errorf("nobody is disabled: exit code %d: %s", code, nobody.String())
	}
	command(": 0 differences.\nNothing was checked: ", "reconcile", "--from=2026-01-01", "--to=2026-01-31")

	execute(t, database.URL(), `SELECT ingest.ensure_partitions((now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date)`)
	execute(t, database.URL(), `
		INSERT INTO stats.product_daily_stats (project, product, day, lane, views)
		VALUES (1, 4711, (now() AT TIME ZONE 'UTC')::date, 0, 1)`)
	var out strings.Builder
	code := Run(t.Context(), []string{"reconcile"}, environ, &out, &out)
	if code != exitFailure || !strings.Contains(out.String(), "4711") {
		t.Errorf("a made-up view: exit code %d:\n%s", code, out.String())
	}
}

// TestMigrateWaits migrates a database that is created after the command has started, as in a cluster.
func TestMigrateWaits(t *testing.T) {
	t.Parallel()
	server := dbtest.New(t).URL()
	const name = "migrated_later"
	later, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	later.Path = "/" + name
	var out output
	code := make(chan int, 1)
	go func() {
		code <- Run(t.Context(), []string{"migrate", "up", "--wait=60s"}, []string{"DATABASE_URL=" + later.String(), "LOG_LEVEL=info"}, &out, &out)
	}()
	platformtest.Eventually(t, 30*time.Second, "the command waits", func() bool {
		return strings.Contains(out.String(), "does not accept connections yet")
	})
	execute(t, server, "CREATE DATABASE "+name)
	defer execute(t, server, "DROP DATABASE "+name)
	if code := <-code; code != exitOK || !strings.Contains(out.String(), "up to date") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestSettingsThatAreNotChanged: the help of a change does not promise defaults for what its flags leave out.
func TestSettingsThatAreNotChanged(t *testing.T) {
	t.Parallel()
	for command, defaults := range map[string]bool{"create": true, "set": false} {
		var out strings.Builder
		if code := Run(t.Context(), []string{"admin", "projects", command, "--help"}, nil, &out, &out); code != exitOK {
			t.Errorf("%s: exit code %d", command, code)
		}
		if got := strings.Contains(out.String(), `(default "EUR")`) || strings.Contains(out.String(), "(default 1)"); got != defaults {
			t.Errorf("%s mentions defaults: %t, want %t: %s", command, got, defaults, out.String())
		}
	}
}
