package compose_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secrets checks which container has which secrets, and that nobody but its user can read a file.
func (s stack) secrets(t *testing.T) {
	database, cache := "/run/secrets/database", "/run/secrets/cache"
	want := map[string][]string{
		"auth": {cache, database}, "catalog": {cache, database}, "ingest": {cache, database}, "analytics": {cache, database},
		"aggregator": {cache, database}, "migrate": {database}, "admin": {"/run/secrets/admin", database},
		"postgres": {"/run/secrets/postgres"}, "redis": {"/run/secrets/redis"}, "gateway": nil,
	}
	got := map[string][]string{}
	for service := range want {
		args := []string{
			"ps", "--all", "--filter", "label=com.docker.compose.project=" + s.project, "--filter", "label=com.docker.compose.service=" + service,
			"--format", "{{.ID}}",
		}
		ids, err := output(t.Context(), s.environ, "docker", args...)
		if err != nil {
			t.Fatal(err)
		}
		const mounts = "{{range .Mounts}}{{.Destination}}={{.RW}} {{end}}"
		out, err := output(t.Context(), s.environ, "docker", "inspect", "--format", mounts, strings.Fields(ids)[0])
		if err != nil {
			t.Fatal(err)
		}
		got[service] = nil
		for mount := range strings.FieldsSeq(out) {
			if path, writable, _ := strings.Cut(mount, "="); strings.HasPrefix(path, "/run/secrets") {
				got[service] = append(got[service], path)
				if writable == "true" {
					t.Errorf("%s may write %s", service, path)
				}
			}
		}
		slices.Sort(got[service])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secrets of containers (-want +got):\n%s", diff)
	}
	files := s.must(t, "run", "--rm", "--no-deps", "--entrypoint", "sh", "secrets", "-c", "find /secrets -type f -exec stat -c '%a %u %n' {} + | sort -k3")
	const modes = `400 65532 /secrets/admin/password
400 65532 /secrets/cache/url
400 65532 /secrets/database/url
400 472 /secrets/grafana/password
400 999 /secrets/postgres/password
400 65532 /secrets/redis/password
400 65532 /secrets/redis/redis.conf
`
	if !strings.Contains(files, modes) {
		t.Errorf("the files of the secrets are\n%s", files)
	}
}

// logins checks that services and migrations log in to Postgres without any privilege of the server, and that the superuser
// cannot log in from another container.
func (s stack) logins(t *testing.T) {
	ask := func(sql string) string {
		t.Helper()
		return strings.TrimSpace(s.must(t, "exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "hp_analytics", "-Atc", sql))
	}
	const sessions = `
		SELECT count(DISTINCT application_name) >= 5, bool_and(usename = 'hp_owner')
		FROM pg_stat_activity
		WHERE datname = current_database() AND client_addr IS NOT NULL`
	if got := ask(sessions); got != "t|t" {
		t.Errorf("the sessions of at least five services are all those of hp_owner: %s", got)
	}
	const privileged = `
		SELECT string_agg(rolname, ',')
		FROM pg_roles
		WHERE rolname LIKE 'hp\_%' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)`
	if got := ask(privileged); got != "" {
		t.Errorf("%s have privileges of the server", got)
	}
	if got := ask(`SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('auth', 'ingest', 'stats')`); got != "hp_owner" {
		t.Errorf("migrate made the tables as %s", got)
	}
	if got := ask(`SELECT count(*) FROM pg_authid WHERE rolsuper AND rolpassword IS NOT NULL`); got != "0" {
		t.Errorf("%s superusers have a password", got)
	}
}
