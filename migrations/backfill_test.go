package migrations_test

import (
	"io/fs"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// undo takes a database back to before the migration of a name.
func undo(t *testing.T, database *dbtest.Database, name string) {
	t.Helper()
	files, err := fs.Glob(migrations.FS, "*_"+name+".up.sql")
	if err != nil || len(files) != 1 {
		t.Fatalf("migrations named %s: %v, %v", name, files, err)
	}
	version, err := strconv.Atoi(files[0][:6])
	if err != nil {
		t.Fatal(err)
	}
	steps := int(migrations.Latest()) - version + 1
	if err := migrate.Down(t.Context(), database.URL(), platformtest.Logger(t), steps); err != nil {
		t.Fatal(err)
	}
}

// A database that has folded custom types before their daily totals existed gets the totals with the table.
func TestTotalsOfTypesAreFilledIn(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	undo(t, database, "type_daily")
	db := database.Pool("")
	const folded = `
		INSERT INTO stats.product_type_daily_stats (product_id, day, type, lane, events) VALUES
			('00000000-0000-0000-0000-000000000001', '2026-01-01', 'search', 0, 1),
			('00000000-0000-0000-0000-000000000002', '2026-01-01', 'search', 0, 20),
			('00000000-0000-0000-0000-000000000002', '2026-01-01', 'search', 3, 300),
			('00000000-0000-0000-0000-000000000002', '2026-01-01', 'share', 0, 4000),
			('00000000-0000-0000-0000-000000000001', '2026-01-02', 'search', 3, 50000)`
	if _, err := db.Exec(t.Context(), folded); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), database.URL(), platformtest.Logger(t)); err != nil {
		t.Fatal(err)
	}
	// By lane, because folds go on in the rows of their lane; and added up, as the role of the readers sees it.
	for _, test := range []struct {
		role, query string
		want        []string
	}{
		{"hp_aggregator", `SELECT concat_ws(' ', day, type, lane, events) FROM stats.type_daily_stats ORDER BY day, type, lane`, []string{
			"2026-01-01 search 0 21", "2026-01-01 search 3 300", "2026-01-01 share 0 4000", "2026-01-02 search 3 50000",
		}},
		{"hp_analytics", `SELECT concat_ws(' ', day, type, events) FROM stats.type_daily ORDER BY day, type`, []string{
			"2026-01-01 search 321", "2026-01-01 share 4000", "2026-01-02 search 50000",
		}},
	} {
		rows, err := database.Pool(test.role).Query(t.Context(), test.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.role, err, diff)
		}
	}
}
