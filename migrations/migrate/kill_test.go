package migrate_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// TestKilledInEachMigration kills the program when a migration has done all its work but the last step, the version. After
// that the schema is the one before, and the migration can be applied.
func TestKilledInEachMigration(t *testing.T) {
	t.Parallel()
	url := empty(t)
	admin, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for done := range migrations.Latest() {
		before := objects(t, admin)
		killAtTheEnd(t, url, admin)
		if got := version(t, url); got != done {
			t.Fatalf("killed in migration %d: the version is %d", done+1, got)
		}
		if after := objects(t, admin); after != before {
			t.Fatalf("killed in migration %d: %d objects, there were %d before", done+1, after, before)
		}
		if err := migrate.UpFrom(t.Context(), firsts(t, done+1), url, platformtest.Logger(t)); err != nil {
			t.Fatalf("migration %d after it was killed: %v", done+1, err)
		}
	}
}

// killAtTheEnd starts the program, which cannot write the version, kills it there, and waits until Postgres has noticed it.
func killAtTheEnd(t *testing.T, url string, admin *pgxpool.Pool) {
	t.Helper()
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE public.schema_migrations IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), asProgram+"="+url)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	waits(t, admin, "relation")
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // killed
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	const gone = `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hp-analytics migrate')`
	platformtest.Eventually(t, time.Minute, "Postgres has ended the session of the killed program", func() bool {
		var ended bool
		if err := admin.QueryRow(t.Context(), gone).Scan(&ended); err != nil {
			t.Fatal(err)
		}
		return ended
	})
}

// objects counts tables, functions, columns and the like.
func objects(t *testing.T, db *pgxpool.Pool) (n int) {
	t.Helper()
	const query = `
		SELECT (SELECT count(*) FROM pg_class) + (SELECT count(*) FROM pg_proc) + (SELECT count(*) FROM pg_attribute)
		     + (SELECT count(*) FROM pg_namespace) + (SELECT count(*) FROM pg_description) + (SELECT count(*) FROM pg_constraint)`
	if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
