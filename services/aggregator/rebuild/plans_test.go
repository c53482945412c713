package rebuild_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// planTracer notes the plan of each statement that compares a rollup with its shadow table, as the session makes it.
type planTracer struct {
	t     *testing.T
	mu    sync.Mutex
	plans map[string]string // by statement
}

// TraceQueryStart implements pgx.QueryTracer.
func (p *planTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, statement pgx.TraceQueryStartData) context.Context {
	sql := strings.TrimSpace(statement.SQL)
	if strings.HasPrefix(sql, "EXPLAIN") || !strings.Contains(sql, "stats.") || !strings.Contains(sql, "shadow.") {
		return ctx
	}
	rows, _ := conn.Query(ctx, "EXPLAIN (COSTS OFF) "+sql, statement.Args...) // CollectRows returns its error
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Errorf("%s: %v", sql, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans[sql] = strings.Join(lines, "\n")
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*planTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestRollupsAreComparedByTheirKeys looks at how Postgres compares the rollups of a day with its shadow tables. All rows have the day in
// common, so a join that does not go by the whole key takes the square of their number.
func TestRollupsAreComparedByTheirKeys(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	tracer := &planTracer{t: t, plans: map[string]string{}}
	if _, err := rebuild.Run(t.Context(), b.tracedPool(tracer), rebuild.Options{From: b.day(0), To: b.day(0)}); err != nil {
		t.Fatal(err)
	}
	if len(tracer.plans) < 30 {
		t.Errorf("only %d statements compare rollups", len(tracer.plans))
	}
	for sql, plan := range tracer.plans {
		if strings.Contains(plan, "Merge ") || strings.Contains(plan, "Nested Loop") {
			t.Errorf("%s:\n%s", sql, plan)
		}
	}
}
