package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
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
	zones   map[int16]*time.Location
	sent    map[identity]row
	writes  map[int64]*write
	states  map[int64]state
	folded  map[int64]time.Time // batches that were seen to be aggregated, and when they say that was
	batches int                 // that folds have reported
	lost    int                 // folds whose commit was not answered
}

// state is what is known of a batch.
type state int

const (
	underWay  state = iota
	committed       // answered
	failed          // certainly not committed
	unknown         // committed or not: the answer was lost
)

func newModel(t *testing.T, zones map[int16]*time.Location) *model {
	t.Helper()
	return &model{
		t: t, zones: zones, sent: map[identity]row{}, writes: map[int64]*write{}, states: map[int64]state{}, folded: map[int64]time.Time{},
	}
}

// begin notes a batch that is sent.
func (m *model) begin(w *write) {
	m.writes[w.id], m.states[w.id] = w, underWay
	for _, r := range w.sent {
		m.sent[r.identity()] = r
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
	if len(done.Failed) > 0 {
		m.t.Errorf("%s sets batches aside: %+v", by.name, done.Failed)
	}
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
	facts      bool
}

// tables is everything that is committed, in one snapshot.
type tables struct {
	receipts map[int64]receipt
	rows     map[identity]int64 // the batch of each raw row
	rollups  map[string][]int64
	users    map[string]int64
	segments map[string][]int64 // of products by day, as a reader of ranges sums them up
}

// check compares the tables with the model. No worker may be running a statement.
func (m *model) check(got tables) {
	m.t.Helper()
	present := map[int64]int{}
	for id, batch := range got.rows {
		r, sent := m.sent[id]
		if !sent {
			m.t.Errorf("row %v was never sent", id)
		}
		present[batch] += max(1, len(r.lines))
	}
	m.checkReceipts(got, present)
	rollups, users := m.expected(got)
	if diff := cmp.Diff(rollups, got.rollups); diff != "" {
		m.t.Errorf("rollups (-the aggregated batches +stored):\n%s", diff)
	}
	if diff := cmp.Diff(users, got.users); diff != "" {
		m.t.Errorf("unique users (-the aggregated batches +stored):\n%s", diff)
	}
	if diff := cmp.Diff(inSegments(rollups), got.segments); diff != "" {
		m.t.Errorf("segments (-the aggregated batches +stored):\n%s", diff)
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}

// checkReceipts checks that what was answered is there, that nothing else is, and that receipts tell the truth.
func (m *model) checkReceipts(got tables, present map[int64]int) {
	m.t.Helper()
	folded := 0
	for id, r := range got.receipts {
		w := m.writes[id]
		if w == nil || m.states[id] == underWay || m.states[id] == failed {
			m.t.Errorf("batch %d is stored, though its write is %v", id, m.states[id])
			continue
		}
		if r.rows != present[id] || m.states[id] == committed && r.rows != w.rows {
			m.t.Errorf("batch %d has %d rows, its receipt says %d, its writer was told %d", id, present[id], r.rows, w.rows)
		}
		if r.facts == (r.aggregated != nil) && r.rows > 0 {
			m.t.Errorf("batch %d: aggregated at %v, facts are there: %t", id, r.aggregated, r.facts)
		}
		before, was := m.folded[id]
		switch {
		case was && (r.aggregated == nil || !r.aggregated.Equal(before)):
			m.t.Errorf("batch %d was aggregated at %s and is now at %v", id, before, r.aggregated)
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
		if _, ok := got.receipts[id]; !ok && (w.kind != protocol.KindOrders || w.rows > 0) { // orders that are all known have no batch
			m.t.Errorf("batch %d was answered and is not there", id)
		}
		for _, r := range w.sent {
			if _, ok := got.rows[r.identity()]; !ok {
				m.t.Errorf("row %v of batch %d was answered and is not there", r.identity(), id)
			}
		}
	}
	if folded < m.batches || m.lost == 0 && folded != m.batches {
		m.t.Errorf("%d batches are aggregated, folds report %d, %d folds got no answer", folded, m.batches, m.lost)
	}
}

// sums are values by the names of rollup rows, and users those that are in sketches and sets.
type sums struct {
	values map[string][]int64
	users  map[string]map[int64]bool
}

func (s sums) add(values []int64, key ...any) {
	name := fmt.Sprintln(key...)
	if s.values[name] == nil {
		s.values[name] = make([]int64, len(values))
	}
	for i, v := range values {
		s.values[name][i] += v
	}
}

func (s sums) see(user int64, key ...any) {
	name := fmt.Sprintln(key...)
	if s.users[name] == nil {
		s.users[name] = map[int64]bool{}
	}
	s.users[name][user] = true
}

// expected returns the rollups of all rows whose batch is aggregated.
func (m *model) expected(got tables) (rollups map[string][]int64, users map[string]int64) {
	s := sums{map[string][]int64{}, map[string]map[int64]bool{}}
	for id, batch := range got.rows {
		if got.receipts[batch].aggregated == nil {
			continue
		}
		r := m.sent[id]
		local := r.ts.In(m.zones[r.project])
		day, hour := local.Format(time.DateOnly), local.Format("2006-01-02T15")
		s.see(r.user, r.project, "users", day)
		s.see(r.user, r.project, "set", day)
		if r.name == 0 {
			addOrder(s, r, day, hour)
		} else {
			addEvent(s, r, day, hour)
		}
	}
	users = map[string]int64{}
	for key, set := range s.users {
		users[key] = int64(len(set))
	}
	return s.values, users
}

func addEvent(s sums, r row, day, hour string) {
	counts := []int64{1, is(r.name, 1), is(r.name, 2), is(r.name, 3), 0, 0}
	s.add(counts, r.project, "day", day)
	s.add(counts, r.project, "day", hour)
	s.add(counts, r.project, "user", r.user, day)
	s.add([]int64{1}, r.project, "name", r.name, day)
	s.add([]int64{1}, r.project, "name", r.name, hour)
	s.see(r.user, r.project, "name", r.name, day)
	if r.product == 0 {
		return
	}
	s.add(counts, r.project, "product", r.product, day)
	s.add(counts, r.project, "product", r.product, hour)
	s.see(r.user, r.project, "product", r.product, day)
	if r.name > 3 {
		s.add([]int64{1}, r.project, "product", r.product, "name", r.name, day)
	}
}

func addOrder(s sums, r row, day, hour string) {
	n := int64(len(r.lines))
	counts, money := []int64{0, 0, 0, 0, 1, n}, []int64{100 * n, 0, 1, n, 0}
	s.add(counts, r.project, "day", day)
	s.add(counts, r.project, "day", hour)
	s.add(counts, r.project, "user", r.user, day)
	s.add(money, r.project, "EUR", day)
	s.add(money, r.project, "EUR", hour)
	s.add(money, r.project, "user", r.user, "EUR", day)
	units := map[int32]int64{}
	for _, l := range r.lines {
		units[l.product]++
	}
	for product, n := range units {
		s.see(r.user, r.project, "product", product, day)
		for _, at := range []string{day, hour} {
			s.add([]int64{0, 0, 0, 0, 1, n}, r.project, "product", product, at)
			s.add([]int64{100 * n, 0, 1, n, 0}, r.project, "product", product, "EUR", at)
		}
	}
}

func is(name, want int16) int64 {
	if name == want {
		return 1
	}
	return 0
}

// rollupsQuery reads the rows of all rollups of sums, with the keys of the model.
const rollupsQuery = `
	WITH zones AS (SELECT id AS project, time_zone AS zone FROM auth.projects),
	counts AS (
		SELECT project, concat_ws(' ', 'day', day) AS key, events, views, clicks, add_to_carts, purchases, units FROM stats.daily
		UNION ALL SELECT project, concat_ws(' ', 'day', to_char(hour AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24')), events, views, clicks, add_to_carts, purchases, units
			FROM stats.hourly JOIN zones USING (project)
		UNION ALL SELECT project, concat_ws(' ', 'product', product, day), events, views, clicks, add_to_carts, purchases, units FROM stats.product_daily
		UNION ALL SELECT project, concat_ws(' ', 'product', product, to_char(hour AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24')), events, views, clicks, add_to_carts, purchases, units
			FROM stats.product_hourly JOIN zones USING (project)
		UNION ALL SELECT project, concat_ws(' ', 'user', user_n, day), events, views, clicks, add_to_carts, purchases, units FROM stats.user_daily
	), money AS (
		SELECT project, concat_ws(' ', currency, day) AS key, gross_minor, refunded_minor, orders, units, refunded_units FROM stats.daily_money
		UNION ALL SELECT project, concat_ws(' ', currency, to_char(hour AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24')), gross_minor, refunded_minor, orders, units, refunded_units
			FROM stats.hourly_money JOIN zones USING (project)
		UNION ALL SELECT project, concat_ws(' ', 'product', product, currency, day), gross_minor, refunded_minor, orders, units, refunded_units FROM stats.product_daily_money
		UNION ALL SELECT project, concat_ws(' ', 'product', product, currency, to_char(hour AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24')), gross_minor, refunded_minor, orders, units, refunded_units
			FROM stats.product_hourly_money JOIN zones USING (project)
		UNION ALL SELECT project, concat_ws(' ', 'user', user_n, currency, day), gross_minor, refunded_minor, orders, units, refunded_units FROM stats.user_daily_money
	)
	SELECT project || ' ' || key || E'\n', ARRAY[events, views, clicks, add_to_carts, purchases, units] FROM counts
	UNION ALL SELECT project || ' ' || key || E'\n', ARRAY[gross_minor, refunded_minor, orders, units, refunded_units] FROM money
	UNION ALL SELECT concat_ws(' ', project, 'name', name, day) || E'\n', ARRAY[events] FROM stats.name_daily
	UNION ALL SELECT concat_ws(' ', project, 'name', name, to_char(hour AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24')) || E'\n', ARRAY[events]
		FROM stats.name_hourly JOIN zones USING (project)
	UNION ALL SELECT concat_ws(' ', project, 'product', product, 'name', name, day) || E'\n', ARRAY[events] FROM stats.product_name_daily`

// readTables reads all tables in a snapshot.
func readTables(t *testing.T, begin func() (pgx.Tx, error)) (got tables) {
	t.Helper()
	tx, err := begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	got = tables{receipts: map[int64]receipt{}, rows: map[identity]int64{}, rollups: map[string][]int64{}, users: map[string]int64{}}
	var batch int64
	var r receipt
	each(t, tx, `SELECT id, rows, aggregated_at, facts IS NOT NULL FROM ingest.batches`, []any{&batch, &r.rows, &r.aggregated, &r.facts},
		func() { got.receipts[batch] = r })
	var project int16
	var ts *time.Time
	var id uuid.UUID
	each(t, tx, `SELECT project, ts, id, batch FROM ingest.events UNION ALL SELECT project, NULL, id, batch FROM ingest.orders`,
		[]any{&project, &ts, &id, &batch}, func() {
			key := identity{project: project, id: id}
			if ts != nil {
				key.micros = ts.UnixMicro()
			}
			got.rows[key] = batch
		})
	var key string
	var counts []int64
	each(t, tx, rollupsQuery, []any{&key, &counts}, func() { got.rollups[key] = append([]int64(nil), counts...) })
	readUsers(t, tx, got.users)
	got.segments = readSegments(t, tx)
	return got
}

// readUsers reads how many users each sketch and each set has.
func readUsers(t *testing.T, tx pgx.Tx, users map[string]int64) {
	t.Helper()
	var key string
	var data []byte
	merged := map[string]*sketch.Sketch{}
	each(t, tx, `
		SELECT concat_ws(' ', project, 'users', day) || E'\n', sketch FROM stats.daily_users
		UNION ALL SELECT concat_ws(' ', project, 'name', name, day) || E'\n', sketch FROM stats.name_daily_users
		UNION ALL SELECT concat_ws(' ', project, 'product', product, day) || E'\n', sketch FROM stats.product_daily_users`,
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
	for key := range merged {
		users[key] = merged[key].Estimate() // exact for so few
	}
	sets := map[string]*roaring.Bitmap{}
	var chunk int32
	each(t, tx, `SELECT concat_ws(' ', project, 'set', day) || E'\n', chunk, users FROM stats.daily_user_sets`, []any{&key, &chunk, &data}, func() {
		lane := roaring.New()
		if err := lane.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if sets[key] == nil {
			sets[key] = roaring.New()
		}
		sets[key].Or(roaring.AddOffset64(lane, int64(chunk)<<16))
	})
	for key, set := range sets {
		users[key] = int64(set.GetCardinality())
	}
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
