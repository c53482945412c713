package rebuild_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// zoneModel is what the rollups of a project must be, by its raw rows and the zones that hold at their times. It shares nothing with the
// fold: days and hours are what time.Time shows in a zone, and users are sets.
type zoneModel struct {
	since []time.Time
	zones []*time.Location
	sums  map[string][]int64
	users map[string]map[int64]bool
}

func (m *zoneModel) add(values []int64, table string, key ...any) {
	name := strings.TrimSpace(table + " " + strings.TrimSpace(fmt.Sprintln(key...)))
	if m.sums[name] == nil {
		m.sums[name] = make([]int64, len(values))
	}
	for i, v := range values {
		m.sums[name][i] += v
	}
}

func (m *zoneModel) see(user int64, table string, key ...any) {
	name := strings.TrimSpace(table + " " + strings.TrimSpace(fmt.Sprintln(key...)))
	if m.users[name] == nil {
		m.users[name] = map[int64]bool{}
	}
	m.users[name][user] = true
}

// at returns the day and the hour of a row.
func (m *zoneModel) at(ts time.Time) (day string, hour int64) {
	zone := m.zones[0]
	for i, since := range m.since {
		if !ts.Before(since) {
			zone = m.zones[i]
		}
	}
	local := ts.In(zone)
	past := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	return local.Format(time.DateOnly), ts.Add(-past).Unix()
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (m *zoneModel) event(ts time.Time, user int64, product int32, name int16) {
	day, hour := m.at(ts)
	counts := []int64{1, one(name == 1), one(name == 2), one(name == 3), 0, 0}
	m.add(counts, "daily_stats", day)
	m.add(counts, "hourly_stats", hour)
	m.add(counts, "user_daily_stats", user, day)
	m.add([]int64{1}, "name_daily_stats", name, day)
	m.add([]int64{1}, "name_hourly_stats", name, hour)
	m.see(user, "name_daily_users", name, day)
	m.seen(user, day)
	if product == 0 {
		return
	}
	m.add(counts, "product_daily_stats", product, day)
	m.add(counts, "product_hourly_stats", product, hour)
	m.see(user, "product_daily_users", product, day)
	if name > 3 {
		m.add([]int64{1}, "product_name_daily_stats", product, name, day)
	}
}

func (m *zoneModel) seen(user int64, day string) {
	m.see(user, "daily_users", day)
	m.see(user, "daily_user_sets", day)
}

func (m *zoneModel) line(ts time.Time, user int64, product int32, currency string, units, amount int64, first, firstOf bool) {
	day, hour := m.at(ts)
	counts, ofProduct := []int64{0, 0, 0, 0, one(first), units}, []int64{0, 0, 0, 0, one(firstOf), units}
	m.add(counts, "daily_stats", day)
	m.add(counts, "hourly_stats", hour)
	m.add(counts, "user_daily_stats", user, day)
	m.add(ofProduct, "product_daily_stats", product, day)
	m.add(ofProduct, "product_hourly_stats", product, hour)
	m.see(user, "product_daily_users", product, day)
	m.seen(user, day)
	m.money(user, product, currency, day, hour, []int64{amount, 0, one(first), units, 0}, []int64{amount, 0, one(firstOf), units, 0})
}

func (m *zoneModel) refund(ts time.Time, user int64, product int32, currency string, units, amount int64) {
	day, hour := m.at(ts)
	money := []int64{0, amount, 0, 0, units}
	m.money(user, product, currency, day, hour, money, money)
}

func (m *zoneModel) money(user int64, product int32, currency, day string, hour int64, all, ofProduct []int64) {
	m.add(all, "daily_revenue", day, currency)
	m.add(all, "hourly_revenue", hour, currency)
	m.add(all, "user_daily_revenue", user, day, currency)
	m.add(ofProduct, "product_daily_revenue", product, day, currency)
	m.add(ofProduct, "product_hourly_revenue", product, hour, currency)
}

// read reads the zones and the folded raw rows of a project.
func (m *zoneModel) read(ctx context.Context, tx pgx.Tx, project int16) error {
	const folded = ` AND NOT EXISTS (SELECT FROM ingest.unfolded_batches b WHERE b.project = raw.project AND b.id = raw.batch)`
	var ts time.Time
	var user, units, amount int64
	var product int32
	var name int16
	var currency, zone string
	var since *time.Time
	var first, firstOf bool
	for _, q := range []struct {
		sql   string
		into  []any
		count func()
	}{
		{`SELECT nullif(since, '-infinity'), time_zone FROM stats.zones WHERE project = $1 ORDER BY since`, []any{&since, &zone}, func() {
			m.since, m.zones = append(m.since, time.Time{}), append(m.zones, mustLoad(zone))
			if since != nil {
				m.since[len(m.since)-1] = *since
			}
		}},
		{
			`SELECT ts, user_n, coalesce(product, 0), name FROM ingest.events raw WHERE project = $1` + folded,
			[]any{&ts, &user, &product, &name}, func() { m.event(ts, user, product, name) },
		},
		{
			`SELECT raw.ts, raw.user_n, l.product, raw.currency, l.quantity, l.amount_minor, l.line = min(l.line) OVER (PARTITION BY raw.id),
				l.line = min(l.line) OVER (PARTITION BY raw.id, l.product)
			FROM ingest.orders raw JOIN ingest.order_lines l ON l.project = raw.project AND l.order_id = raw.id WHERE raw.project = $1` + folded,
			[]any{&ts, &user, &product, &currency, &units, &amount, &first, &firstOf},
			func() { m.line(ts, user, product, currency, units, amount, first, firstOf) },
		},
		{
			`SELECT raw.ts, raw.user_n, l.product, raw.currency, l.units, l.amount_minor
			FROM ingest.refunds raw JOIN ingest.refund_lines l ON l.project = raw.project AND l.refund_id = raw.id WHERE raw.project = $1` + folded,
			[]any{&ts, &user, &product, &currency, &units, &amount},
			func() { m.refund(ts, user, product, currency, units, amount) },
		},
	} {
		rows, err := tx.Query(ctx, q.sql, project)
		if err != nil {
			return err
		}
		if _, err := pgx.ForEachRow(rows, q.into, func() error { q.count(); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// stored reads all rollups of a project as the model names them.
func stored(ctx context.Context, tx pgx.Tx, project int16) (sums map[string][]int64, users map[string]int64, err error) {
	sums, users = map[string][]int64{}, map[string]int64{}
	sketches, sets := map[string]*sketch.Sketch{}, map[string]*roaring.Bitmap{}
	for _, t := range rollup.Tables {
		var key []string
		for _, column := range t.Key {
			switch column {
			case rollup.Hour:
				key = append(key, "extract(epoch FROM hour)::bigint")
			case rollup.Chunk: // the model does not know them
			default:
				key = append(key, string(column))
			}
		}
		name := `'` + t.Name + ` ' || concat_ws(' ', ` + strings.Join(key, ", ") + `)`
		var k string
		var values []int64
		var blob []byte
		query, into := `SELECT `+name+`, ARRAY[sum(`+strings.Join(t.Values, ")::bigint, sum(")+`)::bigint] FROM stats.`+t.Name+` WHERE project = $1 GROUP BY 1`, []any{&k, &values}
		take := func() error { sums[k] = append([]int64(nil), values...); return nil }
		if t.Blobs() {
			query, into = `SELECT `+name+`, `+t.Values[0]+` FROM stats.`+t.Name+` WHERE project = $1`, []any{&k, &blob}
			take = func() error {
				one, all := sketch.New(), sketches[k]
				if err := one.UnmarshalBinary(blob); err != nil {
					return err
				}
				sketches[k] = one
				return one.Merge(all)
			}
			if t.Name == "daily_user_sets" {
				take = func() error {
					if sets[k] == nil {
						sets[k] = roaring.New()
					}
					lane := roaring.New()
					err := lane.UnmarshalBinary(blob)
					sets[k].Or(lane) // there are fewer users than a chunk has
					return err
				}
			}
		}
		rows, err := tx.Query(ctx, query, project)
		if err != nil {
			return nil, nil, err
		}
		if _, err := pgx.ForEachRow(rows, into, take); err != nil {
			return nil, nil, err
		}
	}
	for k, s := range sketches {
		users[k] = s.Estimate() // exact for so few
	}
	for k, set := range sets {
		users[k] = int64(set.GetCardinality())
	}
	return sums, users, nil
}

// mustBeModel fails the test unless every rollup of a project is what its raw rows and its zones make it.
func (b *books) mustBeModel(project int16) {
	b.t.Helper()
	ctx := context.WithoutCancel(b.t.Context())
	tx, err := b.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		b.t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	m := &zoneModel{sums: map[string][]int64{}, users: map[string]map[int64]bool{}}
	if err := m.read(ctx, tx, project); err != nil {
		b.t.Fatal(err)
	}
	sums, users, err := stored(ctx, tx, project)
	if err != nil {
		b.t.Fatal(err)
	}
	if diff := cmp.Diff(m.sums, sums); diff != "" {
		b.t.Errorf("with the zones %v since %v: sums (-raw rows +stored):\n%.3000s", m.zones, m.since, diff)
	}
	want := map[string]int64{}
	for key, set := range m.users {
		want[key] = int64(len(set))
	}
	if diff := cmp.Diff(want, users); diff != "" {
		b.t.Errorf("with the zones %v since %v: users (-raw rows +stored):\n%.3000s", m.zones, m.since, diff)
	}
}
