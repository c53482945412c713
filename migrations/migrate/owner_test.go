package migrate_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// TestAPlainOwnerMigrates migrates up, down and up with a login that owns the database and has no privilege of the server.
func TestAPlainOwnerMigrates(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(empty(t))
	if err != nil {
		t.Fatal(err)
	}
	admin := connect(t, u.String())
	owner := "owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(t, admin, "DROP TABLE public.schema_migrations") // made by the superuser
	execute(t, admin, "CREATE ROLE "+owner+" LOGIN PASSWORD 'test'")
	execute(t, admin, "GRANT "+strings.Join(migrations.Roles(), ", ")+" TO "+owner)
	execute(t, admin, "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" OWNER TO "+owner)
	u.User = url.UserPassword(owner, "test")

	conn := connect(t, u.String())
	var privileged bool
	const query = `SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = session_user`
	if err := conn.QueryRow(t.Context(), query).Scan(&privileged); err != nil || privileged {
		t.Fatalf("the login has privileges: %t, %v", privileged, err)
	}
	if err := migrate.Up(t.Context(), u.String(), platformtest.Logger(t)); err != nil {
		t.Fatalf("up: %v", err)
	}
	if err := migrate.Down(t.Context(), u.String(), platformtest.Logger(t), 0); err != nil {
		t.Fatalf("down: %v", err)
	}
	if err := migrate.Up(t.Context(), u.String(), platformtest.Logger(t)); err != nil {
		t.Fatalf("up again: %v", err)
	}
	for _, role := range migrations.Roles() {
		var temporary bool
		if err := conn.QueryRow(t.Context(), `SELECT has_database_privilege($1, current_database(), 'TEMPORARY')`, role).Scan(&temporary); err != nil || temporary {
			t.Errorf("%s may make temporary tables: %t, %v", role, temporary, err)
		}
	}
}
