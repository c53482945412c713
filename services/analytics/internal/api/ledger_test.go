package api_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// project is a project with what happened in it. Each event and order is added to the rollups, as by a fold of its own.
type project struct {
	authn.Project

	w        *world
	products map[string]int64
	users    map[string]int64
	names    map[string]int64
	sketches map[string]*sketch.Sketch
	sets     map[string]*roaring.Bitmap
}

// product returns the number of a product by its SKU, which is also its category.
func (p *project) product(sku string) int64 {
	p.w.t.Helper()
	return p.known(&p.products, sku, func() int64 {
		return p.w.number(`
			INSERT INTO catalog.products (id, project, sku, name, category, price_minor, currency)
			VALUES ($1, $2, $3, $3, $3, 100, 'EUR') RETURNING n`, uuid.New(), p.ID, sku)
	})
}

// id returns the id of a product by its SKU.
func (p *project) id(sku string) string {
	p.w.t.Helper()
	var id string
	if err := p.w.db.QueryRow(p.w.t.Context(), `SELECT id::text FROM catalog.products WHERE project = $1 AND sku = $2`, p.ID, sku).Scan(&id); err != nil {
		p.w.t.Fatal(err)
	}
	return id
}

// user returns the number of a user; that of an anonymous id if it begins with "anon".
func (p *project) user(id string) int64 {
	p.w.t.Helper()
	return p.known(&p.users, id, func() int64 {
		return p.w.number(`INSERT INTO ingest.users (project, anonymous, id) VALUES ($1, $2, $3) RETURNING n`,
			p.ID, strings.HasPrefix(id, "anon"), id)
	})
}

// join identifies an anonymous id as a user.
func (p *project) join(anonymous, user string) {
	p.w.t.Helper()
	p.w.exec(`UPDATE ingest.users SET person = $3, joined_at = now() WHERE project = $1 AND n = $2`, p.ID, p.user(anonymous), p.user(user))
}

func (p *project) name(name string) int64 {
	p.w.t.Helper()
	if n, ok := stats.NameOf(name); ok {
		return int64(n)
	}
	return p.known(&p.names, name, func() int64 {
		n := int64(stats.FirstName) + int64(len(p.names))
		p.w.exec(`INSERT INTO ingest.names (project, n, name) VALUES ($1, $2, $3)`, p.ID, n, name)
		return n
	})
}

func (p *project) known(numbers *map[string]int64, text string, add func() int64) int64 {
	if *numbers == nil {
		*numbers = map[string]int64{}
	}
	if _, ok := (*numbers)[text]; !ok {
		(*numbers)[text] = add()
	}
	return (*numbers)[text]
}

// at returns the time at which the clocks of the project show a text, the later one if they do so twice.
func (p *project) at(text string) time.Time {
	p.w.t.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", text, p.Zone)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return t
}

// event counts an event n times. sku is empty for an event without a product.
func (p *project) event(user, name, sku string, ts time.Time, n int) {
	p.w.t.Helper()
	counts, custom := stats.OfEvent(stats.Name(p.name(name)))
	for i := range counts {
		counts[i] *= int64(n)
	}
	p.counts(user, sku, ts, counts)
	day, hour := localtime.DayOf(ts, p.Zone).Date(), localtime.HourOf(ts, p.Zone)
	p.add("name_daily_stats", []string{"name", "day"}, []any{p.name(name), day}, []string{"events"}, []int64{int64(n)})
	p.add("name_hourly_stats", []string{"name", "hour"}, []any{p.name(name), hour}, []string{"events"}, []int64{int64(n)})
	p.sketch("name_daily_users", []string{"name", "day"}, []any{p.name(name), day}, p.user(user))
	if sku != "" && custom {
		p.add("product_name_daily_stats", []string{"product", "name", "day"}, []any{p.product(sku), p.name(name), day}, []string{"events"}, []int64{int64(n)})
	}
}

// order counts an order of one line.
func (p *project) order(user, sku, currency string, units, minor int64, ts time.Time) {
	p.w.t.Helper()
	p.counts(user, sku, ts, stats.OfLine(units, true))
	p.money(user, sku, currency, ts, stats.OfOrderLine(units, minor, true))
}

// refund counts a refund of one line.
func (p *project) refund(user, sku, currency string, units, minor int64, ts time.Time) {
	p.w.t.Helper()
	p.money(user, sku, currency, ts, stats.OfRefundLine(units, minor))
}

func (p *project) counts(user, sku string, ts time.Time, counts stats.Counts) {
	p.w.t.Helper()
	day, hour := localtime.DayOf(ts, p.Zone).Date(), localtime.HourOf(ts, p.Zone)
	n := p.user(user)
	p.add("daily_stats", []string{"day"}, []any{day}, stats.Columns(), counts[:])
	p.add("hourly_stats", []string{"hour"}, []any{hour}, stats.Columns(), counts[:])
	p.add("user_daily_stats", []string{"user_n", "day"}, []any{n, day}, stats.Columns(), counts[:])
	p.sketch("daily_users", []string{"day"}, []any{day}, n)
	p.set(day, n)
	if sku == "" {
		return
	}
	product := p.product(sku)
	p.add("product_daily_stats", []string{"product", "day"}, []any{product, day}, stats.Columns(), counts[:])
	p.add("product_hourly_stats", []string{"product", "hour"}, []any{product, hour}, stats.Columns(), counts[:])
	p.sketch("product_daily_users", []string{"product", "day"}, []any{product, day}, n)
}

func (p *project) money(user, sku, currency string, ts time.Time, m stats.Money) {
	p.w.t.Helper()
	day, hour := localtime.DayOf(ts, p.Zone).Date(), localtime.HourOf(ts, p.Zone)
	product, columns, values := p.product(sku), stats.MoneyColumns(), m.Values()
	p.add("daily_revenue", []string{"day", "currency"}, []any{day, currency}, columns, values)
	p.add("hourly_revenue", []string{"hour", "currency"}, []any{hour, currency}, columns, values)
	p.add("product_daily_revenue", []string{"product", "day", "currency"}, []any{product, day, currency}, columns, values)
	p.add("product_hourly_revenue", []string{"product", "hour", "currency"}, []any{product, hour, currency}, columns, values)
	p.add("user_daily_revenue", []string{"user_n", "day", "currency"}, []any{p.user(user), day, currency}, columns, values)
}

// add adds values to the row of a key. The lane alternates, so that answers have to sum up lanes.
func (p *project) add(table string, key []string, of []any, columns []string, values []int64) {
	p.w.t.Helper()
	lane := values[0] % 2
	args := append([]any{p.ID, lane}, of...)
	places := []string{"$1", "$2"}
	var sums []string
	for i, column := range columns {
		args = append(args, values[i])
		sums = append(sums, fmt.Sprintf("%s = r.%s + excluded.%s", column, column, column))
	}
	for i := range len(key) + len(columns) {
		places = append(places, fmt.Sprintf("$%d", i+3))
	}
	p.w.exec(fmt.Sprintf(`INSERT INTO stats.%s AS r (project, lane, %s, %s) VALUES (%s) ON CONFLICT (project, %s, lane) DO UPDATE SET %s`,
		table, strings.Join(key, ", "), strings.Join(columns, ", "), strings.Join(places, ", "), strings.Join(key, ", "), strings.Join(sums, ", ")), args...)
}

// sketch adds a user to the sketch of a key, in a lane that depends on the user.
func (p *project) sketch(table string, key []string, of []any, user int64) {
	p.w.t.Helper()
	if p.sketches == nil {
		p.sketches = map[string]*sketch.Sketch{}
	}
	lane := user % 2
	name := fmt.Sprint(table, of, lane)
	if p.sketches[name] == nil {
		p.sketches[name] = sketch.New()
	}
	p.sketches[name].Insert(user)
	data, err := p.sketches[name].MarshalBinary()
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.blob(table, "sketch", key, of, lane, data)
}

// set adds a user to the set of a day.
func (p *project) set(day time.Time, user int64) {
	p.w.t.Helper()
	if p.sets == nil {
		p.sets = map[string]*roaring.Bitmap{}
	}
	chunk, lane := user>>16, user%2
	name := fmt.Sprint(day, chunk, lane)
	if p.sets[name] == nil {
		p.sets[name] = roaring.New()
	}
	p.sets[name].Add(uint32(user & 0xffff))
	data, err := p.sets[name].ToBytes()
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.blob("daily_user_sets", "users", []string{"day", "chunk"}, []any{day, chunk}, lane, data)
}

func (p *project) blob(table, column string, key []string, of []any, lane int64, data []byte) {
	p.w.t.Helper()
	args := append([]any{p.ID, lane, data}, of...)
	places := []string{"$1", "$2", "$3"}
	for i := range key {
		places = append(places, fmt.Sprintf("$%d", i+4))
	}
	keys := strings.Join(key, ", ")
	p.w.exec(fmt.Sprintf(`INSERT INTO stats.%s (project, lane, %s, %s) VALUES (%s) ON CONFLICT (project, %s, lane) DO UPDATE SET %s = excluded.%s`,
		table, column, keys, strings.Join(places, ", "), keys, column, column), args...)
}
