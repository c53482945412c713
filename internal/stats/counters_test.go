package stats_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// The table in Go and the columns in SQL must list the same counters: those of every rollup table, its shadow and its view.
func TestColumnsAreThoseOfTheRollups(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t).Pool("")
	const query = `
		SELECT array_agg(attname::text ORDER BY attnum)
		FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = 'bigint'::regtype`
	for _, relation := range []string{
		"stats.product_daily_stats", "stats.user_daily_stats", "stats.daily_stats",
		"shadow.product_daily_stats", "shadow.user_daily_stats", "shadow.daily_stats",
		"stats.product_daily", "stats.user_daily", "stats.daily",
	} {
		var columns []string
		if err := pool.QueryRow(t.Context(), query, relation).Scan(&columns); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stats.Columns(), columns); diff != "" {
			t.Errorf("counters of %s (-Go +SQL):\n%s", relation, diff)
		}
	}
	// No rollup with counters may be missing above: such a table has the first of them and is not a rollup by type.
	rows, _ := pool.Query(t.Context(), `
		SELECT table_schema || '.' || table_name
		FROM information_schema.columns AS c
		WHERE table_schema IN ('stats', 'shadow') AND column_name = $1
		  AND table_name NOT IN ('product_type_daily_stats', 'type_daily_stats', 'product_type_daily', 'type_daily')`, stats.Columns()[0])
	relations, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(relations) != 9 {
		t.Errorf("rollups with counters: %s, %v; want the 9 above", strings.Join(relations, ", "), err)
	}
}

func TestOfEvent(t *testing.T) {
	t.Parallel()
	for eventType, want := range map[string]struct {
		counts stats.Counts
		custom bool
	}{
		"view":        {stats.Counts{stats.Events: 1, stats.Views: 1}, false},
		"click":       {stats.Counts{stats.Events: 1, stats.Clicks: 1}, false},
		"add_to_cart": {stats.Counts{stats.Events: 1, stats.AddToCarts: 1}, false},
		"search":      {stats.Counts{stats.Events: 1}, true},
		"":            {stats.Counts{stats.Events: 1}, true},
	} {
		counts, custom := stats.OfEvent(eventType)
		if counts != want.counts || custom != want.custom {
			t.Errorf("%q counts %v (custom: %t), want %v (custom: %t)", eventType, counts, custom, want.counts, want.custom)
		}
	}
}

func TestOfPurchase(t *testing.T) {
	t.Parallel()
	want := stats.Counts{stats.Purchases: 1, stats.Units: 3, stats.RevenueMinor: 900}
	if got := stats.OfPurchase(3, 900); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	c, one := stats.OfPurchase(2, 10), stats.OfPurchase(1, 5)
	if err := c.Add(&one); err != nil {
		t.Error(err)
	}
	if want := (stats.Counts{stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 15}); c != want {
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
	c := stats.Counts{stats.Views: 1, stats.RevenueMinor: math.MaxInt64 - 5}
	if err := c.Add(&stats.Counts{stats.RevenueMinor: 5}); err != nil {
		t.Errorf("up to the largest value: %v", err)
	}
	err := c.Add(&stats.Counts{stats.Views: 1, stats.RevenueMinor: 1})
	if want := (stats.Counts{stats.Views: 2, stats.RevenueMinor: math.MaxInt64}); !errors.Is(err, stats.ErrTooLarge) || c != want {
		t.Errorf("%s, %v; want %s", c, err, want)
	}
}
