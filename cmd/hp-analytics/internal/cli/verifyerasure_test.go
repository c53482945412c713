package cli

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestVerifyErasureThatIsNotDone says in which state an erasure is, and who was never erased.
func TestVerifyErasureThatIsNotDone(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	const receipt = "0195a3f6-2b40-7c1d-9e83-4a5b6c7d8e90"
	verify := func(args []string, want string, never ...string) {
		t.Helper()
		var out strings.Builder
		if code := Run(t.Context(), append([]string{"verify-erasure"}, args...), environ, &out, &out); code != exitFailure || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, no %q in: %s", args, code, want, out.String())
		}
		for _, text := range never {
			if strings.Contains(out.String(), text) {
				t.Errorf("%v: %q in: %s", args, text, out.String())
			}
		}
	}
	execute(t, database.URL(), `INSERT INTO ingest.users (project, anonymous, id) VALUES (1, false, 'ada')`)
	execute(t, database.URL(), `INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by)
		VALUES (1, '`+receipt+`', false, 'eve', sha256('salt'), sha256('digest'), 'key:1')`)
	verify([]string{receipt}, "waiting since", "rows left", "since 0001")
	verify([]string{receipt}, "Nothing was removed yet")
	verify([]string{receipt}, "hp-analytics: 1 erasure not done yet\n")
	verify([]string{"--user", "ada"}, `the user was never erased: the project default knows "ada"`)
	verify([]string{"--user", "nobody"}, `the user was never erased: the project default does not know "nobody"`)
	verify([]string{"0195a3f6-2b40-7c1d-9e83-4a5b6c7d8e91"}, "project default; name the project of the erasure with --project")
	execute(t, database.URL(), `UPDATE ingest.erasures SET state = 'running', phase = 'writers', epoch = 1, started_at = now(), held_by = '{7}'`)
	verify([]string{receipt}, "running, phase writers")
	verify([]string{receipt}, "held up by 1 batch that cannot be folded (hp-analytics batches list): [7]")
}

// TestUnknownProjects names a project that does not exist. No command takes that for one without numbers.
func TestUnknownProjects(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	for _, args := range [][]string{
		{"audit", "--project=nosuch"}, {"rebuild", "--project=nosuch", "--from=2026-01-01", "--to=2026-01-02"},
		{"reconcile", "--project=nosuch"}, {"verify-erasure", "--project=nosuch", "--user=ada"},
	} {
		var out strings.Builder
		if code := Run(t.Context(), args, environ, &out, &out); code == exitOK || !strings.Contains(out.String(), "o project") && !strings.Contains(out.String(), "no such project") {
			t.Errorf("%v: exit code %d: %s", args, code, out.String())
		}
		for _, good := range []string{"equal", "TIME", "Recounted"} {
			if strings.Contains(out.String(), good) {
				t.Errorf("%v prints %q first: %s", args, good, out.String())
			}
		}
	}
}
