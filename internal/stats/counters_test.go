package stats_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// relations lists the tables and views of the schemas stats and shadow that have a column.
func relations(t *testing.T, db *pgxpool.Pool, column string) (names []string) {
	t.Helper()
	rows, _ := db.Query(t.Context(), `
		SELECT table_schema || '.' || table_name
		FROM information_schema.columns
		WHERE table_schema IN ('stats', 'shadow') AND column_name = $1
		ORDER BY 1`, column)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The tables in Go and the columns in SQL must list the same: those of every rollup table, its shadow and its view, and of the segments,
// which hold each column of a day as bytes.
func TestColumnsAreThoseOfTheRollups(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	const query = `
		SELECT array_agg(attname::text ORDER BY attnum)
		FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = $2::regtype
			AND attname NOT IN ('user_n', 'totals', 'products')`
	for _, rollups := range []struct {
		column string // only these have it
		want   []string
		number int // five tables, with a shadow and a view each, and one of segments
	}{
		{stats.Views.Column(), stats.Columns(), 16},
		{stats.MoneyColumns()[0], stats.MoneyColumns(), 16},
	} {
		names := relations(t, db, rollups.column)
		if len(names) != rollups.number {
			t.Errorf("%d relations have %s, want %d: %s", len(names), rollups.column, rollups.number, strings.Join(names, ", "))
		}
		for _, name := range names {
			kind := "bigint"
			if strings.HasSuffix(name, "_segments") {
				kind = "bytea"
			}
			var columns []string
			if err := db.QueryRow(t.Context(), query, name, kind).Scan(&columns); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rollups.want, columns); diff != "" {
				t.Errorf("columns of %s (-Go +SQL):\n%s", name, diff)
			}
		}
	}
}

// Only the usual names have a counter of their own, exactly as they are written.
func TestNamesWithACounter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]stats.Name{"view": stats.View, "click": stats.Click, "add_to_cart": stats.AddToCart} {
		if n, ok := stats.NameOf(name); n != want || !ok {
			t.Errorf("%s has the number %d, %t", name, n, ok)
		}
	}
	for _, name := range []string{"", "View", "purchase", "Signed Up"} {
		if n, ok := stats.NameOf(name); ok {
			t.Errorf("%q has the number %d", name, n)
		}
	}
}

func TestOfEvent(t *testing.T) {
	t.Parallel()
	for name, want := range map[stats.Name]struct {
		counts stats.Counts
		custom bool
	}{
		stats.View:          {stats.Counts{stats.Events: 1, stats.Views: 1}, false},
		stats.Click:         {stats.Counts{stats.Events: 1, stats.Clicks: 1}, false},
		stats.AddToCart:     {stats.Counts{stats.Events: 1, stats.AddToCarts: 1}, false},
		stats.FirstName:     {stats.Counts{stats.Events: 1}, true},
		math.MaxInt16:       {stats.Counts{stats.Events: 1}, true},
		stats.AddToCart + 1: {stats.Counts{stats.Events: 1}, true},
	} {
		counts, custom := stats.OfEvent(name)
		if counts != want.counts || custom != want.custom {
			t.Errorf("%d counts %v (custom: %t), want %v (custom: %t)", name, counts, custom, want.counts, want.custom)
		}
	}
}

func TestOfLine(t *testing.T) {
	t.Parallel()
	for first, want := range map[bool]stats.Counts{
		true:  {stats.Purchases: 1, stats.Units: 3},
		false: {stats.Units: 3},
	} {
		if got := stats.OfLine(3, first); got != want {
			t.Errorf("first: %t: %v, want %v", first, got, want)
		}
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	c, one := stats.OfLine(2, true), stats.OfLine(1, true)
	if err := c.Add(&one); err != nil {
		t.Error(err)
	}
	if want := (stats.Counts{stats.Purchases: 2, stats.Units: 3}); c != want || c.String() != "{purchases=2 units=3}" {
		t.Errorf("%v, want %v", c, want)
	}
	for i, pointer := range c.Pointers() {
		if pointer != any(&c[i]) {
			t.Errorf("pointer %d is not to the value of %s", i, stats.Counter(i).Column())
		}
	}
}

// TestASumThatIsTooLargeIsNeverNegative adds to the largest value.
func TestASumThatIsTooLargeIsNeverNegative(t *testing.T) {
	t.Parallel()
	c := stats.Counts{stats.Views: 1, stats.Units: math.MaxInt64 - 5}
	if err := c.Add(&stats.Counts{stats.Units: 5}); err != nil {
		t.Errorf("up to the largest value: %v", err)
	}
	err := c.Add(&stats.Counts{stats.Views: 1, stats.Units: 1})
	if want := (stats.Counts{stats.Views: 2, stats.Units: math.MaxInt64}); !errors.Is(err, stats.ErrTooLarge) || c != want {
		t.Errorf("%s, %v; want %s", c, err, want)
	}
}
