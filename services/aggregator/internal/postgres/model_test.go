package postgres_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// model knows what was sent and how it went, and so what the tables must hold. Of the database it believes only which
// rows and receipts there are; what they mean for the rollups it adds up by itself, from what was sent.
type model struct {
	t       *testing.T
	facts   map[identity]fact
	writes  map[uuid.UUID]*write
	states  map[uuid.UUID]state
	folded  map[uuid.UUID]time.Time // batches that were seen to be aggregated, and when they say that was
	batches int                     // that folds have reported
	lost    int                     // folds whose commit was not answered
}

// state is what is known of a batch.
type state int

const (
	underWay  state = iota
	committed       // answered
	failed          // certainly not committed
	unknown         // committed or not: the answer was lost
)

func newModel(t *testing.T) *model {
	t.Helper()
	return &model{
		t: t, facts: map[identity]fact{}, writes: map[uuid.UUID]*write{}, states: map[uuid.UUID]state{}, folded: map[uuid.UUID]time.Time{},
	}
}

// begin notes a batch that is sent.
func (m *model) begin(w *write) {
	m.writes[w.id], m.states[w.id] = w, underWay
	for _, f := range w.facts {
		m.facts[f.identity()] = f
	}
}

// end notes how the write of a worker went.
func (m *model) end(w *write, err error, by *worker) {
	m.mustBeFaulted(err, by)
	switch {
	case err == nil:
		m.states[w.id] = committed
	case by.lastOrder == lose:
		m.states[w.id] = unknown
	default:
		m.states[w.id] = failed
	}
}

// fold notes what the fold of a worker says that it has done.
func (m *model) fold(done postgres.Folded, err error, by *worker) {
	m.mustBeFaulted(err, by)
	m.batches += done.Batches
	if err != nil && by.lastOrder == lose {
		m.lost++
	}
}

// mustBeFaulted fails the test if a job failed though nothing was done to it: others are no reason to fail.
func (m *model) mustBeFaulted(err error, by *worker) {
	m.t.Helper()
	if err != nil && !by.faulted {
		m.t.Errorf("%s fails by itself: %v", by.name, err)
	}
}

// receipt is a row of ingest.batches.
type receipt struct {
	rows       int
	aggregated *time.Time
}

// tables is everything that is committed, in one snapshot.
type tables struct {
	receipts map[uuid.UUID]receipt
	rows     map[identity]uuid.UUID // the batch of each raw row
	rollups  map[string][]int64
	users    map[string]int64
}

// check compares the tables with the model. No worker may be running a statement.
func (m *model) check(got tables) {
	m.t.Helper()
	present := map[uuid.UUID]int{}
	for id, batch := range got.rows {
		present[batch]++
		if _, sent := m.facts[id]; !sent {
			m.t.Errorf("row %v was never sent", id)
		}
	}
	m.checkReceipts(got, present)
	rollups, users := m.expected(got)
	if diff := cmp.Diff(rollups, got.rollups); diff != "" {
		m.t.Errorf("rollups (-the aggregated batches +stored):\n%s", diff)
	}
	if diff := cmp.Diff(users, got.users); diff != "" {
		m.t.Errorf("unique users (-the aggregated batches +stored):\n%s", diff)
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}

// checkReceipts checks that what was answered is there, that nothing else is, and that receipts tell the truth.
func (m *model) checkReceipts(got tables, present map[uuid.UUID]int) {
	m.t.Helper()
	folded := 0
	for id, r := range got.receipts {
		w := m.writes[id]
		if w == nil || m.states[id] == underWay || m.states[id] == failed {
			m.t.Errorf("batch %s is stored, though its write is %v", id, m.states[id])
			continue
		}
		if r.rows != present[id] || m.states[id] == committed && r.rows != w.rows {
			m.t.Errorf("batch %s has %d rows, its receipt says %d, its writer was told %d", id, present[id], r.rows, w.rows)
		}
		before, was := m.folded[id]
		switch {
		case was && (r.aggregated == nil || !r.aggregated.Equal(before)):
			m.t.Errorf("batch %s was aggregated at %s and is now at %v", id, before, r.aggregated)
		case r.aggregated != nil:
			m.folded[id] = *r.aggregated
			if r.rows > 0 { // one without is born aggregated
				folded++
			}
		}
	}
	for id, w := range m.writes {
		if m.states[id] != committed {
			continue
		}
		if _, ok := got.receipts[id]; !ok && (w.kind == protocol.KindEvents || w.rows > 0) {
			m.t.Errorf("batch %s was answered and is not there", id)
		}
		for _, f := range w.facts {
			if _, ok := got.rows[f.identity()]; !ok {
				m.t.Errorf("row %v of batch %s was answered and is not there", f.identity(), id)
			}
		}
	}
	if folded < m.batches || m.lost == 0 && folded != m.batches {
		m.t.Errorf("%d batches are aggregated, folds report %d, %d folds got no answer", folded, m.batches, m.lost)
	}
}

// expected returns the rollups of all rows whose batch is aggregated.
func (m *model) expected(got tables) (rollups map[string][]int64, users map[string]int64) {
	rollups, users = map[string][]int64{}, map[string]int64{}
	seen := map[string]map[string]bool{}
	add := func(key string, values ...int64) {
		if rollups[key] == nil {
			rollups[key] = make([]int64, len(values))
		}
		for i, v := range values {
			rollups[key][i] += v
		}
	}
	for id, batch := range got.rows {
		if got.receipts[batch].aggregated == nil {
			continue
		}
		f := m.facts[id]
		day := f.ts.Format(time.DateOnly)
		counts := []int64{1, is(f.typ, "view"), is(f.typ, "click"), is(f.typ, "add_to_cart"), 0, 0, 0}
		if f.typ == "" {
			counts = []int64{0, 0, 0, 0, 1, f.quantity, f.amount}
		} else if counts[1]+counts[2]+counts[3] == 0 {
			add(fmt.Sprint("type ", day, " ", f.typ), 1)
			add(fmt.Sprint("product type ", f.product, " ", day, " ", f.typ), 1)
		}
		product := fmt.Sprint("product ", f.product, " ", day)
		add("day "+day, counts...)
		add(product, counts...)
		add("user "+f.user+" "+day, counts...)
		for _, key := range []string{"day " + day, product} {
			if seen[key] == nil {
				seen[key] = map[string]bool{}
			}
			seen[key][f.user] = true
		}
	}
	for key, set := range seen {
		users[key] = int64(len(set))
	}
	return rollups, users
}

func is(typ, want string) int64 {
	if typ == want {
		return 1
	}
	return 0
}

// readTables reads all tables in a snapshot.
func readTables(t *testing.T, begin func() (pgx.Tx, error)) (got tables) {
	t.Helper()
	tx, err := begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	got = tables{receipts: map[uuid.UUID]receipt{}, rows: map[identity]uuid.UUID{}, rollups: map[string][]int64{}, users: map[string]int64{}}
	var id, batch uuid.UUID
	var r receipt
	each(t, tx, `SELECT id, rows, aggregated_at FROM ingest.batches`, []any{&id, &r.rows, &r.aggregated}, func() { got.receipts[id] = r })
	var ts time.Time
	each(t, tx, `SELECT ts, id, batch_id FROM ingest.events UNION ALL SELECT ts, id, batch_id FROM ingest.purchases`,
		[]any{&ts, &id, &batch}, func() { got.rows[identity{ts.UnixMicro(), id}] = batch })
	var key string
	var counts []int64
	const columns = `ARRAY[events, views, clicks, add_to_carts, purchases, units, revenue_minor]`
	each(t, tx, `
		SELECT concat_ws(' ', 'day', day), `+columns+` FROM stats.daily
		UNION ALL SELECT concat_ws(' ', 'product', product_id, day), `+columns+` FROM stats.product_daily
		UNION ALL SELECT concat_ws(' ', 'user', user_id, day), `+columns+` FROM stats.user_daily
		UNION ALL SELECT concat_ws(' ', 'product type', product_id, day, type), ARRAY[events] FROM stats.product_type_daily
		UNION ALL SELECT concat_ws(' ', 'type', day, type), ARRAY[events] FROM stats.type_daily`,
		[]any{&key, &counts}, func() { got.rollups[key] = append([]int64(nil), counts...) })
	var data []byte
	merged := map[string]*sketch.Sketch{}
	each(t, tx, `
		SELECT concat_ws(' ', 'day', day), sketch FROM stats.daily_users
		UNION ALL SELECT concat_ws(' ', 'product', product_id, day), sketch FROM stats.product_daily_users`,
		[]any{&key, &data}, func() {
			lane := sketch.New()
			if err := lane.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if err := lane.Merge(merged[key]); err != nil {
				t.Fatal(err)
			}
			merged[key] = lane
		})
	for key := range maps.Keys(merged) {
		got.users[key] = merged[key].Estimate() // exact for so few
	}
	return got
}

func each(t *testing.T, tx pgx.Tx, sql string, into []any, note func()) {
	t.Helper()
	rows, err := tx.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.ForEachRow(rows, into, func() error { note(); return nil }); err != nil {
		t.Fatal(err)
	}
}
