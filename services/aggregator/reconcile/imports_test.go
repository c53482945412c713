package reconcile_test

import (
	"slices"
	"testing"
	"time"
)

// proven returns whether the only import is proven.
func (b *books) proven() (proven bool) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), `SELECT count(proven_at) > 0 FROM ingest.imports`).Scan(&proven); err != nil {
		b.t.Fatal(err)
	}
	return proven
}

// change runs a statement as superuser.
func (b *books) change(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.Pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func TestImportsAreProven(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	first, last := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	before, after := first.AddDate(0, 0, -1), last.AddDate(0, 0, 1)
	b.change(`INSERT INTO ingest.imports (project, id, first_day, last_day) VALUES (1, gen_random_uuid(), $1, $2)`, first, last)
	tamper := func(by string) {
		b.change(`UPDATE stats.daily_stats SET events = events ` + by + ` WHERE (project, day, lane) = (SELECT project, day, lane FROM stats.daily_stats ORDER BY project, day, lane LIMIT 1)`)
	}
	for _, step := range []struct {
		name     string
		change   func()
		from, to *time.Time
		want     bool
	}{
		{"it runs", func() {}, nil, nil, false},
		{"some of its days are not recounted", func() { b.change(`UPDATE ingest.imports SET finished_at = now()`) }, &first, &last, false},
		{"there are differences", func() { tamper("+ 1") }, nil, nil, false},
		{"a batch from before its end is pending", func() {
			tamper("- 1")
			b.write()
			b.change(`UPDATE ingest.batches SET received_at = now() WHERE aggregated_at IS NULL`)
			b.change(`UPDATE ingest.imports SET finished_at = now()`)
		}, &before, &after, false},
		{"only a later batch is pending", func() {
			b.change(`UPDATE ingest.imports SET finished_at = (SELECT min(received_at) - interval '1 second' FROM ingest.batches WHERE aggregated_at IS NULL)`)
		}, &before, &after, true},
	} {
		step.change()
		report, _ := b.reconcile(step.from, step.to)
		if got := b.proven(); got != step.want || report.Proven > 0 != step.want {
			t.Errorf("%s: proven is %t, and %d in the report", step.name, got, report.Proven)
		}
	}
	if report, _ := b.reconcile(nil, nil); report.Proven != 0 {
		t.Errorf("%d are proven again", report.Proven)
	}
}

// TestImportsOfOthersAreProven checks that what is wrong in one project, and a batch of it that is set aside, do not keep the import
// of another from being proven.
func TestImportsOfOthersAreProven(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	shop := b.InProject("shop", "Asia/Kolkata")
	shop.Events(20)
	for b.Pending() > 0 {
		if _, err := b.store.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, project := range []int16{1, shop.Project} {
		b.change(`INSERT INTO ingest.imports (project, id, first_day, last_day, finished_at) VALUES ($1, gen_random_uuid(), '2026-01-01', '2026-01-02', now())`, project)
	}
	b.change(`UPDATE stats.daily_stats SET events = events + 1 WHERE project = 1`)
	b.change(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'why' WHERE id = $1`, b.Batch(3))
	report, out := b.reconcile(nil, nil)
	var proven []int16
	if err := b.Pool.QueryRow(t.Context(), `SELECT array_agg(project) FROM ingest.imports WHERE proven_at IS NOT NULL`).Scan(&proven); err != nil {
		t.Fatal(err)
	}
	if report.Differences == 0 || report.Proven != 1 || !slices.Equal(proven, []int16{shop.Project}) {
		t.Errorf("proven are %v, want the import of %d alone; %+v\n%s", proven, shop.Project, report, out)
	}
}

// A refund of no order contradicts nothing.
func TestRefundsOfNoOrderAreRight(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	_, before := b.reconcile(nil, nil)
	b.change(`UPDATE ingest.order_lines SET refunded_minor = 0, refunded_units = 0`)
	b.change(`UPDATE ingest.refunds SET order_id = NULL`)
	if _, got := b.reconcile(nil, nil); before != "" || got != "" {
		t.Errorf("before: %s\nwithout orders: %s", before, got)
	}
}
