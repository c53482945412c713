package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// archive is a store with raw rows that the test inserts, read as the service reads.
type archive struct {
	tb    testing.TB
	store *Store
	db    *pgxpool.Pool // as superuser
}

// The users, names and products of an archive.
const (
	ada, bob, visitor, later = 101, 102, 103, 104 // later is a visitor who was identified as ada
	viewed, signedUp         = 1, 16
	shoe, hat                = 1, 2
)

var shoeID = uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10")

func newArchive(tb testing.TB) *archive {
	tb.Helper()
	database := dbtest.New(tb)
	cfg := database.Config()
	pool, err := platformpostgres.Open(tb.Context(), cfg, "hp_ingest", "test", nil,
		platformpostgres.Setting{Name: "plan_cache_mode", Value: "force_generic_plan"},
		platformpostgres.Setting{Name: "enable_seqscan", Value: "off"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	a := &archive{tb: tb, store: New(pool, prometheus.NewRegistry()), db: database.Pool("")}
	a.exec(`INSERT INTO auth.projects (slug, name) VALUES ('other', 'Other')`)
	a.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES
		($1, 1, 'SHOE', 'Shoe', 100, 'EUR'), ('0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11', 1, 'HAT', 'Hat', 100, 'EUR')`, shoeID)
	a.exec(`INSERT INTO ingest.users (project, anonymous, n, id, person, joined_at) OVERRIDING SYSTEM VALUE VALUES
		(1, false, 101, 'ada', NULL, NULL), (1, false, 102, 'bob', NULL, NULL), (1, true, 103, 'visitor', NULL, NULL),
		(1, true, 104, 'later', 101, now()), (2, false, 201, 'ada', NULL, NULL)`)
	a.exec(`INSERT INTO ingest.names (project, n, name) VALUES (1, 1, 'view'), (1, 16, 'Signed Up'), (2, 1, 'view')`)
	return a
}

func (a *archive) exec(sql string, args ...any) {
	a.tb.Helper()
	if _, err := a.db.Exec(a.tb.Context(), sql, args...); err != nil {
		a.tb.Fatalf("%s: %v", sql, err)
	}
}

// sample is an event to insert.
type sample struct {
	ts      time.Time
	user    int64
	name    int16
	product int32 // 0 for none
	project int16 // 0 for 1
}

// insert stores events with ids in their order, and makes the partitions of their days.
func (a *archive) insert(events ...sample) []uuid.UUID {
	a.tb.Helper()
	first, last := events[0].ts, events[0].ts
	rows, ids := make([][]any, len(events)), make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = uuid.New()
		rows[i] = []any{e.ts, e.user, int64(1), ids[i], nullable(e.product), cmp.Or(e.project, 1), e.name, fmt.Sprintf(`{"i":%d}`, i)}
		if e.ts.Before(first) {
			first = e.ts
		}
		if e.ts.After(last) {
			last = e.ts
		}
	}
	a.exec(`SELECT ingest.ensure_partitions($1::date, $2::date)`, first.UTC(), last.UTC())
	_, err := a.db.CopyFrom(a.tb.Context(), pgx.Identifier{"ingest", "events"},
		[]string{"ts", "user_n", "batch", "id", "product", "project", "name", "properties"}, pgx.CopyFromRows(rows))
	if err != nil {
		a.tb.Fatal(err)
	}
	return ids
}

func nullable(product int32) *int32 {
	if product == 0 {
		return nil
	}
	return &product
}

// samples returns events of many days: every n minutes one, of which the user, the name and the product change.
func samples(from time.Time, days, every int) []sample {
	var events []sample
	users, names, products := []int64{ada, bob, visitor, later}, []int16{viewed, signedUp}, []int32{shoe, 0, hat}
	for minute := 0; minute < days*24*60; minute += every {
		i := len(events)
		events = append(events, sample{
			ts: from.Add(time.Duration(minute) * time.Minute), user: users[i%4], name: names[i%7%2], product: products[i%3],
		})
	}
	return events
}

var january = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// expected returns the ids of the events that pass a filter, newest first.
func expected(events []sample, ids []uuid.UUID, pass func(sample) bool) []uuid.UUID {
	var found []int
	for i, e := range events {
		if cmp.Or(e.project, 1) == 1 && pass(e) {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b int) int {
		return cmp.Or(events[b].ts.Compare(events[a].ts), bytes.Compare(ids[b][:], ids[a][:]))
	})
	sorted := make([]uuid.UUID, len(found))
	for i, f := range found {
		sorted[i] = ids[f]
	}
	return sorted
}

// walk reads all pages of a query and returns the ids of the events, and how many pages there were.
func (a *archive) walk(q history.Query) (ids []uuid.UUID, pages int) {
	a.tb.Helper()
	for {
		page, err := a.store.Events(a.tb.Context(), q)
		if err != nil {
			a.tb.Fatal(err)
		}
		pages++
		if len(page.Items) > q.Limit {
			a.tb.Fatalf("a page has %d items", len(page.Items))
		}
		for _, item := range page.Items {
			ids = append(ids, item.Event.ID)
		}
		if page.Next == nil {
			return ids, pages
		}
		if q.After != nil && page.Next.Compare(*q.After) <= 0 {
			a.tb.Fatalf("the next page begins at %+v, after one that began at %+v", *page.Next, *q.After)
		}
		q.After = page.Next
	}
}

// Every combination of filters finds exactly the events that pass it, in their order, whatever the length of pages is.
func TestEventsAreFoundByEveryFilter(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	events := samples(january, 40, 97)
	events = append(events, sample{ts: january.Add(time.Hour), user: 201, name: viewed, project: 2})
	for range 150 { // many at one time, more than a page reads at once
		events = append(events, sample{ts: january.AddDate(0, 0, 20), user: ada, name: viewed, product: shoe})
	}
	ids := a.insert(events...)
	from, to := january.AddDate(0, 0, 3).Add(time.Minute), january.AddDate(0, 0, 33)
	users := map[string]struct {
		user history.User
		pass func(sample) bool
	}{
		"all":     {history.User{}, func(sample) bool { return true }},
		"ada":     {history.User{ID: "ada"}, func(e sample) bool { return e.user == ada }},
		"visitor": {history.User{ID: "visitor", Anonymous: true}, func(e sample) bool { return e.user == visitor }},
	}
	for name, u := range users {
		for _, product := range []string{"", "sku", "id"} {
			for _, kind := range []string{"", "Signed Up"} {
				for _, ranged := range []bool{false, true} {
					q := history.Query{Project: 1, User: u.user, Type: kind, Limit: 60}
					switch product {
					case "sku":
						q.SKU = "SHOE"
					case "id":
						q.ProductID = shoeID
					}
					if ranged {
						q.Range = history.Range{From: from, To: to}
					}
					want := expected(events, ids, func(e sample) bool {
						return u.pass(e) && (product == "" || e.product == shoe) && (kind == "" || e.name == signedUp) &&
							(!ranged || !e.ts.Before(from) && e.ts.Before(to))
					})
					label := fmt.Sprintf("%s, %q, %q, %t", name, product, kind, ranged)
					if len(want) < 20 && u.user != (history.User{}) && product == "" {
						t.Fatalf("%s: only %d events", label, len(want))
					}
					if got, _ := a.walk(q); !slices.Equal(got, want) {
						t.Errorf("%s: %d events, want %d", label, len(got), len(want))
					}
				}
			}
		}
	}
}

// What no event has is found nowhere; and another project's users, products and types are unknown.
func TestEventsOfTheUnknown(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.insert(samples(january, 1, 60)...)
	for _, q := range []history.Query{
		{Project: 1, User: history.User{ID: "nobody"}}, {Project: 1, User: history.User{ID: "ada", Anonymous: true}}, {Project: 1, SKU: "NONE"},
		{Project: 1, ProductID: uuid.New()}, {Project: 1, Type: "never"}, {Project: 2, SKU: "SHOE"}, {Project: 2, Type: "Signed Up"},
		{Project: 2, User: history.User{ID: "bob"}}, {Project: 2}, {Project: 2, User: history.User{ID: "ada"}}, {Project: 2, Type: "view"},
	} {
		q.Limit = 10
		if got, pages := a.walk(q); len(got) > 0 || pages != 1 {
			t.Errorf("%+v finds %d events on %d pages", q, len(got), pages)
		}
	}
}

// A filter that few events pass examines a bounded number of events for a page. The list still has all of them.
func TestRareTypesAreFoundInSteps(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	events := make([]sample, 2*maxScanned+500)
	for i := range events {
		events[i] = sample{ts: january.Add(time.Duration(i) * time.Second), user: bob, name: viewed, product: shoe}
	}
	events[10].name, events[11].name, events[maxScanned+700].name = signedUp, signedUp, signedUp
	ids := a.insert(events...)
	want := []uuid.UUID{ids[maxScanned+700], ids[11], ids[10]}
	for _, q := range []history.Query{
		{Project: 1, Type: "Signed Up", Limit: 2}, {Project: 1, Type: "Signed Up", SKU: "SHOE", Limit: 2},
		{Project: 1, Type: "Signed Up", User: history.User{ID: "bob"}, Limit: 2},
	} {
		first, err := a.store.Events(t.Context(), q)
		if err != nil || len(first.Items) != 1 || first.Next == nil {
			t.Errorf("%+v: the first page has %d items, next %v, %v", q, len(first.Items), first.Next, err)
		}
		if got, pages := a.walk(q); !slices.Equal(got, want) || pages < 3 || pages > 4 {
			t.Errorf("%+v: %v on %d pages, want %v", q, got, pages, want)
		}
	}
}

// Events that all have the same time, as those of an import by days have, are read in bounded steps too.
func TestManyEventsOfOneInstant(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	var events []sample
	for i := range 2*maxScanned + 300 {
		e := sample{ts: january, user: ada, name: viewed, product: shoe}
		if i%10 == 0 {
			e.user, e.product = bob, hat
		}
		events = append(events, e)
	}
	events = append(events, sample{ts: january.Add(-time.Hour), user: ada, name: signedUp, product: shoe},
		sample{ts: january.Add(time.Hour), user: ada, name: viewed, product: shoe})
	ids := a.insert(events...)
	for name, c := range map[string]struct {
		q    history.Query
		pass func(sample) bool
	}{
		"all":           {history.Query{}, func(sample) bool { return true }},
		"ada":           {history.Query{User: history.User{ID: "ada"}}, func(e sample) bool { return e.user == ada }},
		"shoe":          {history.Query{SKU: "SHOE"}, func(e sample) bool { return e.product == shoe }},
		"hats of bob":   {history.Query{SKU: "HAT", User: history.User{ID: "bob"}}, func(e sample) bool { return e.user == bob }},
		"shoe, sign-up": {history.Query{SKU: "SHOE", Type: "Signed Up"}, func(e sample) bool { return e.name == signedUp }},
	} {
		c.q.Project, c.q.Limit = 1, 900
		if got, _ := a.walk(c.q); !slices.Equal(got, expected(events, ids, c.pass)) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(expected(events, ids, c.pass)))
		}
	}
}

// node is a node of a plan.
type node struct {
	Type     string  `json:"Node Type"`
	Index    string  `json:"Index Name"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Plans    []node
}

// scans returns the nodes that read tables.
func (n node) scans() []node {
	if n.Relation != "" {
		return []node{n}
	}
	var all []node
	for _, p := range n.Plans {
		all = append(all, p.scans()...)
	}
	return all
}

// explain runs a statement as the store runs it and returns its plan.
func (a *archive) explain(ctx context.Context, q query) node {
	a.tb.Helper()
	q.text = "EXPLAIN (ANALYZE, FORMAT JSON) " + q.text
	texts, err := inOrder(ctx, a.store, q, pgx.RowTo[[]byte])
	if err != nil {
		a.tb.Fatalf("%s: %v", q.text, err)
	}
	text := texts[0]
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil {
		a.tb.Fatal(err)
	}
	return plans[0].Plan
}

// Each combination of filters reads one index, in partitions of the window only, and no more rows than it may.
func TestPlansOfEvents(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.insert(samples(january, 100, 7)...)
	a.exec(`ANALYZE ingest.events`)
	window := history.Range{From: january.AddDate(0, 0, 60), To: january.AddDate(0, 0, 90)}
	at := history.Position{TS: january.AddDate(0, 0, 80).Add(time.Hour)}
	for name, c := range map[string]struct {
		filter eventFilter
		index  string
	}{
		"all":           {eventFilter{}, "pkey"},
		"type":          {eventFilter{name: signedUp}, "pkey"},
		"user":          {eventFilter{users: []int64{ada}}, "user_n_ts_idx"},
		"user, type":    {eventFilter{users: []int64{ada}, name: signedUp}, "user_n_ts_idx"},
		"user, product": {eventFilter{users: []int64{ada}, product: shoe, name: signedUp}, "user_n_ts_idx"},
		"joined users":  {eventFilter{users: []int64{ada, later}}, "user_n_ts_idx"},
		"product":       {eventFilter{product: shoe}, "project_product_ts_idx"},
		"product, type": {eventFilter{product: shoe, name: signedUp}, "project_product_ts_idx"},
	} {
		c.filter.project = 1
		for _, rows := range []int{115, maxScanned} {
			plan := a.explain(t.Context(), windowQuery(c.filter, window, at, rows))
			lists := max(1, len(c.filter.users))
			a.checkScans(name, plan, c.index, float64(lists*(rows+4)), 4) // a merge of partitions looks at the next row of each
		}
	}
	instant := a.explain(t.Context(), instantQuery(eventFilter{project: 1, product: shoe}, january.AddDate(0, 0, 50), &uuid.Max, maxScanned))
	a.checkScans("instant", instant, "pkey", 1, 1)
}

func (a *archive) checkScans(name string, plan node, index string, rows float64, partitions int) {
	a.tb.Helper()
	read := 0.0
	scans := plan.scans()
	for _, s := range scans {
		read += s.Rows*s.Loops + s.Filtered*s.Loops
		if s.Type != "Index Scan" && s.Type != "Index Only Scan" || !strings.HasSuffix(s.Index, index) {
			a.tb.Errorf("%s: reads %s by %s %s, not by %s", name, s.Relation, s.Type, s.Index, index)
		}
	}
	if len(scans) == 0 || len(scans) > partitions {
		a.tb.Errorf("%s: reads %d partitions, at most %d are in the window", name, len(scans), partitions)
	}
	if read > rows {
		a.tb.Errorf("%s: reads %.0f rows, at most %.0f are allowed", name, read, rows)
	}
}

// Orders and refunds of a user, and those of a day, are read by an index, too.
func TestPlansOfOrders(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.trade(2000)
	a.exec(`ANALYZE ingest.orders, ingest.order_lines, ingest.refunds, ingest.refund_lines`)
	at := history.Position{TS: january.Add(1500 * time.Hour)}
	for table, columns := range map[string]string{"orders": rawOrderColumns, "refunds": rawRefundColumns} {
		q := newestQuery("ingest."+table, columns, []int64{ada, later}, history.Timeline{Project: 1}, at, 51)
		a.checkScans(table, a.explain(t.Context(), q), table+"_user_ts_idx", 2*(51+1), 1)
	}
	day := history.Export{Project: 1, Range: history.Range{From: january, To: january.AddDate(0, 0, 1)}}
	for _, q := range []query{exportEventsQuery(day), exportOrdersQuery(day), exportRefundsQuery(day)} {
		for _, s := range a.explain(t.Context(), q).scans() {
			if s.Type == "Seq Scan" {
				t.Errorf("%s: reads all of %s", q.text, s.Relation)
			}
		}
	}
}

// trade stores n orders of two lines and a refund of each, one every hour, of ada and of the visitor that she was.
func (a *archive) trade(n int) {
	a.tb.Helper()
	a.exec(`INSERT INTO ingest.orders (ts, user_n, batch, id, project, lines, currency, number, content_hash, properties)
		SELECT $1::timestamptz + i * interval '1 hour', CASE i % 3 WHEN 0 THEN 104 ELSE 101 END, 7, md5('o' || i)::uuid, 1, 2, 'EUR',
			CASE WHEN i % 2 = 0 THEN 'A-' || i END, '\x00', CASE WHEN i % 5 = 0 THEN '{"a": 1}'::jsonb END
		FROM generate_series(0, $2 - 1) i`, january, n)
	a.exec(`INSERT INTO ingest.order_lines (ts, amount_minor, order_id, product, quantity, project, line)
		SELECT o.ts, 100 * l, o.id, l, l, 1, l FROM ingest.orders o, generate_series(1, 2) l`)
	a.exec(`INSERT INTO ingest.refunds (ts, user_n, batch, id, order_id, project, lines, currency, reason, content_hash)
		SELECT o.ts + interval '30 minutes', o.user_n, 8, md5('r' || o.id)::uuid, o.id, 1, 1, 'EUR', CASE WHEN o.number IS NULL THEN '=too small' END, '\x00'
		FROM ingest.orders o`)
	a.exec(`INSERT INTO ingest.refund_lines (amount_minor, refund_id, product, units, project, line)
		SELECT 50, r.id, 2, 1, 1, 2 FROM ingest.refunds r`)
}

// A timeline has the events, orders and refunds of a user and of the joined anonymous ids, each once and in order.
func TestTimeline(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	events := samples(january, 5, 11)
	events = append(events, sample{ts: january, user: ada, name: viewed}, sample{ts: january, user: 201, name: viewed, project: 2})
	ids := a.insert(events...)
	a.trade(100)
	var want []string
	for i, e := range events {
		if e.user == ada || e.user == later {
			want = append(want, e.ts.Format(time.RFC3339)+" 0 "+ids[i].String())
		}
	}
	for i := range 100 {
		ts := january.Add(time.Duration(i) * time.Hour)
		want = append(want, ts.Format(time.RFC3339)+" 1 ", ts.Add(30*time.Minute).Format(time.RFC3339)+" 2 ")
	}
	for _, limit := range []int{7, 100, 1000} {
		q := history.Timeline{Project: 1, UserID: "ada", Limit: limit}
		var got []string
		var last *history.Position
		for {
			page, err := a.store.Timeline(t.Context(), q)
			if err != nil || len(page.Items) > limit {
				t.Fatalf("%d items, %v", len(page.Items), err)
			}
			for _, item := range page.Items {
				got = append(got, a.describe(item))
				if last != nil && last.Compare(item.Position) >= 0 {
					t.Errorf("limit %d: %+v comes after %+v", limit, item.Position, *last)
				}
				last = &item.Position
			}
			if q.After = page.Next; page.Next == nil {
				break
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	if page, err := a.store.Timeline(t.Context(), history.Timeline{Project: 2, UserID: "bob", Limit: 10}); err != nil || len(page.Items) > 0 {
		t.Errorf("a user of another project has %d items, %v", len(page.Items), err)
	}
}

// describe returns time and kind of an item, and of an event its id. It checks what orders and refunds have.
func (a *archive) describe(item history.Item) string {
	a.tb.Helper()
	switch {
	case item.Event != nil:
		return item.Event.TS.Format(time.RFC3339) + " 0 " + item.Event.ID.String()
	case item.Order != nil:
		o := item.Order
		if len(o.Lines) != 2 || o.Lines[0].Product.ID != shoeID || o.Lines[1].AmountMinor != 200 || o.Currency != "EUR" || o.Receipt.ReceivedAt == nil {
			a.tb.Errorf("an order is %+v", o)
		}
		return o.TS.Format(time.RFC3339) + " 1 "
	default:
		r := item.Refund
		if len(r.Lines) != 1 || r.Lines[0].Product.SKU != "HAT" || r.Lines[0].Units != 1 || r.Order == uuid.Nil || r.Receipt.Batch != 8 {
			a.tb.Errorf("a refund is %+v", r)
		}
		return r.TS.Format(time.RFC3339) + " 2 "
	}
}
