package analytics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment/segmenttest"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// fixture is a running analytics service on rollups that the test writes.
type fixture struct {
	t       testing.TB
	db      *pgxpool.Pool // as superuser
	auth    *authntest.Auth
	checker *openapitest.Checker
	handler http.Handler
	routes  http.Handler // handler without the checker
	redis   platformredis.Config
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	database := dbtest.New(t)
	return newFixtureOn(t, database.Config(), database.Pool(""), redistest.New(t))
}

func newFixtureOn(t testing.TB, pg platformpostgres.Config, db *pgxpool.Pool, redis platformredis.Config, changes ...func(*analytics.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, db: db, auth: authntest.New(t), checker: openapitest.New(t), redis: redis}
	f.auth.Use(db)
	cfg := analytics.Config{Config: frame.Config{Postgres: pg, Redis: redis}, Auth: f.auth.Config(), CacheTTL: 10 * time.Second, CacheBytes: 1 << 20, OpenToUsers: true,
		LiveReaders: 3, LiveProjectReaders: 2}
	for _, change := range changes {
		change(&cfg)
	}
	cfg.HTTP.RequestTimeout = 10 * time.Second
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	svc, err := analytics.New(ctx, cfg, platformtest.Deps(t))
	if err != nil {
		t.Fatal(err)
	}
	platformtest.Run(t, svc)
	platformtest.Eventually(t, 10*time.Second, "the key set is fetched", func() bool {
		state, _ := svc.Health().Ready(t.Context())
		return state.Checks["jwks"] == "ok"
	})
	f.routes = svc.Routes()
	f.handler = f.checker.Handler(f.routes)
	return f
}

// get asks for path with the given credential ("" for none).
func (f *fixture) get(path, credential string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// into asks as an analyst, and decodes a 200 into answer.
func (f *fixture) into(path string, answer any) {
	f.t.Helper()
	w := f.get(path, f.auth.Token(authn.Analyst, uuid.NewString()))
	if w.Code != http.StatusOK {
		f.t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), answer); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatal(err)
	}
	if strings.Contains(sql, "stats.product_daily_") {
		segmenttest.Derive(f.t, f.db)
	}
}

// product adds a product whose id ends in n, and whose number is n.
func (f *fixture) product(n int) uuid.UUID {
	f.t.Helper()
	id := uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-%012d", n))
	f.exec(`
		INSERT INTO catalog.products (id, n, project, sku, name, price_minor, currency)
		OVERRIDING SYSTEM VALUE VALUES ($1, $2, 1, $3, $4, 100, 'EUR')`,
		id, n, fmt.Sprintf("sku-%d", n), fmt.Sprintf("Product %d", n))
	return id
}

// count writes a day of a product as the aggregator would, in the given lane, seen by users from to to. An order is for two
// units and EUR 1.00.
func (f *fixture) count(product uuid.UUID, day string, lane, views, purchases, fromUser, toUser int) {
	f.t.Helper()
	const n = `(SELECT n FROM catalog.products WHERE id = $1)`
	f.exec(`
		INSERT INTO stats.product_daily_stats (project, product, day, lane, events, views, purchases, units)
		VALUES (1, `+n+`, $2::text::date, $3, $4::int, $4::int, $5::int, $5::int * 2)`, product, day, lane, views, purchases)
	if purchases > 0 {
		f.exec(`
			INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor, orders, units)
			VALUES (1, `+n+`, $2::text::date, 'EUR', $3, $4::int * 100, $4, $4::int * 2)`, product, day, lane, purchases)
		f.exec(`
			INSERT INTO stats.daily_revenue AS r (project, day, currency, lane, gross_minor, orders, units)
			VALUES (1, $1::text::date, 'EUR', $2, $3::int * 100, $3, $3::int * 2)
			ON CONFLICT (project, day, currency, lane) DO UPDATE SET gross_minor = r.gross_minor + excluded.gross_minor,
				orders = r.orders + excluded.orders, units = r.units + excluded.units`, day, lane, purchases)
	}
	users := sketch.New()
	for i := fromUser; i <= toUser; i++ {
		users.Insert(int64(i))
	}
	data, err := users.MarshalBinary()
	if err != nil {
		f.t.Fatal(err)
	}
	f.exec(`INSERT INTO stats.product_daily_users (project, product, day, lane, sketch) VALUES (1, `+n+`, $2::text::date, $3, $4)`, product, day, lane, data)
}

// user adds a user and returns its number.
func (f *fixture) user(id string) (n int64) {
	f.t.Helper()
	if err := f.db.QueryRow(f.t.Context(), `INSERT INTO ingest.users (project, anonymous, id) VALUES (1, false, $1) RETURNING n`, id).Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// eur is revenue in euros without refunds, of orders of two units and EUR 1.00.
func eur(orders int64) []api.Revenue {
	if orders == 0 {
		return []api.Revenue{}
	}
	return []api.Revenue{{Currency: "EUR", GrossMinor: 100 * orders, NetMinor: 100 * orders, Orders: orders, Units: 2 * orders}}
}

// apiKey stores the key of the given scopes.
func (f *fixture) apiKey(name string, scopes ...string) string {
	f.t.Helper()
	k := authn.NewKey()
	f.exec(`INSERT INTO auth.api_keys (id, name, project, key_hash, prefix, scopes) VALUES ($1, $2, 1, $3, 'hpa_0123', $4)`,
		uuid.New(), name, authn.HashKey(k), scopes)
	return k
}

func TestTopRanksByEveryMetric(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	viewed, bought, liked := f.product(1), f.product(2), f.product(3)
	f.count(viewed, "2026-01-01", 0, 60, 1, 1, 5)
	f.count(viewed, "2026-01-02", 0, 20, 0, 1, 5)
	f.count(viewed, "2026-01-02", 1, 20, 0, 4, 7) // the same day from another lane
	f.count(bought, "2026-01-02", 0, 50, 9, 1, 3)
	f.count(liked, "2026-01-01", 0, 30, 1, 1, 30)
	f.count(liked, "2026-02-01", 0, 9999, 99, 1, 99) // outside the range

	want := map[api.Metric][]string{
		"events": {"sku-1:100", "sku-2:50", "sku-3:30"}, "views": {"sku-1:100", "sku-2:50", "sku-3:30"},
		"clicks": nil, "add_to_carts": nil,
		"purchases": {"sku-2:9", "sku-1:1", "sku-3:1"}, "units": {"sku-2:18", "sku-1:2", "sku-3:2"},
		"gross_minor": {"sku-2:900", "sku-1:100", "sku-3:100"}, "net_minor": {"sku-2:900", "sku-1:100", "sku-3:100"}, "refunded_minor": nil,
		"unique_users": {"sku-3:30", "sku-1:7", "sku-2:3"},
	}
	for metric, ranking := range want {
		var top api.TopProducts
		f.into("/analytics/products/top?from=2026-01-01&to=2026-01-31&metric="+string(metric), &top)
		var got []string
		for i, item := range top.Items {
			got = append(got, fmt.Sprintf("%s:%d", item.Product.SKU, item.Value))
			if item.Rank != i+1 {
				t.Errorf("%s: place %d has rank %d", metric, i, item.Rank)
			}
		}
		if diff := cmp.Diff(ranking, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", metric, diff)
		}
	}
	var top api.TopProducts
	f.into("/analytics/products/top?from=2026-01-01&to=2026-01-31&limit=1", &top)
	wantItem := api.TopProduct{
		Rank: 1, Product: api.ProductRef{ID: viewed, SKU: "sku-1", Name: "Product 1"}, Value: 100,
		Counts: api.Counts{Events: 100, Views: 100, Purchases: 1, Units: 2, Revenue: eur(1), UniqueUsers: 7},
	}
	if diff := cmp.Diff([]api.TopProduct{wantItem}, top.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ranking by users reads sketches in chunks and stops early; it must still find a product with few rows but many users.
func TestTopByUsersOverManyProducts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := 1; n <= 450; n++ {
		f.count(f.product(n), "2026-01-01", 0, 1000-n, 0, 1, 3)
	}
	f.count(f.product(1000), "2026-01-01", 0, 80, 0, 1, 80)
	f.count(f.product(1001), "2026-01-01", 0, 70, 0, 1, 70)
	var top api.TopProducts
	f.into("/analytics/products/top?from=2026-01-01&to=2026-01-01&metric=unique_users&limit=3", &top)
	var got []string
	for _, item := range top.Items {
		got = append(got, fmt.Sprintf("%s:%d", item.Product.SKU, item.Value))
	}
	if diff := cmp.Diff([]string{"sku-1000:80", "sku-1001:70", "sku-1:3"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSeries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.product(1)
	f.exec(`UPDATE catalog.products SET status = 'archived'`) // history keeps its product
	f.count(id, "2026-01-01", 0, 10, 1, 1, 4)
	f.count(id, "2026-01-03", 0, 5, 0, 3, 5)
	f.count(id, "2026-01-03", 1, 5, 0, 5, 6)
	var series api.Series
	f.into("/analytics/products/"+id.String()+"/timeseries?from=2026-01-01&to=2026-01-04", &series)
	day := func(n int, views, purchases, users int64) api.SeriesPoint {
		return api.SeriesPoint{
			Start: time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC), Complete: true,
			Events: views, Views: views, Purchases: purchases, Units: 2 * purchases, Revenue: eur(purchases), UniqueUsers: &users, UniqueUsersExact: new(bool),
		}
	}
	if diff := cmp.Diff([]api.SeriesPoint{day(1, 10, 1, 4), day(2, 0, 0, 0), day(3, 10, 0, 4), day(4, 0, 0, 0)}, series.Points); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(api.Counts{Events: 20, Views: 20, Purchases: 1, Units: 2, Revenue: eur(1), UniqueUsers: 6}, series.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(api.ProductRef{ID: id, SKU: "sku-1", Name: "Product 1"}, series.Product); diff != "" {
		t.Errorf("product (-want +got):\n%s", diff)
	}
	token := f.auth.Token(authn.User, uuid.NewString())
	for _, path := range []string{uuid.NewString(), "no-uuid"} {
		if w := f.get("/analytics/products/"+path+"/timeseries", token); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	me := uuid.NewString()
	n, other := f.user(me), f.user("other")
	f.exec(`
		INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events, views, clicks, add_to_carts, purchases, units) VALUES
			(1, $1, '2026-01-01', 0, 3, 2, 1, 0, 0, 0), (1, $1, '2026-01-01', 2, 4, 4, 0, 0, 0, 0),
			(1, $1, '2026-01-05', 0, 0, 0, 0, 0, 1, 2), (1, $2, '2026-01-01', 0, 9, 9, 9, 9, 9, 9)`, n, other)
	f.exec(`
		INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, lane, gross_minor, orders, units) VALUES
			(1, $1, '2026-01-05', 'EUR', 0, 100, 1, 2), (1, $2, '2026-01-05', 'EUR', 0, 900, 9, 9)`, n, other)
	w := f.get("/analytics/users/me/summary?from=2026-01-01&to=2026-01-31", f.auth.Token(authn.User, me))
	var mine, theirs api.UserSummary
	if err := json.Unmarshal(w.Body.Bytes(), &mine); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(api.Counts{Events: 7, Views: 6, Clicks: 1, Purchases: 1, Units: 2, Revenue: eur(1), UniqueUsers: 1, UniqueUsersExact: true}, mine.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if len(mine.Days) != 2 || mine.Days[0].Events != 7 || !cmp.Equal(mine.Days[1].Revenue, eur(1)) || mine.UserID != me {
		t.Errorf("%+v", mine)
	}
	f.into("/analytics/users/"+me+"/summary?from=2026-01-01&to=2026-01-31", &theirs)
	theirs.Meta, mine.Meta = api.Meta{}, api.Meta{}
	if diff := cmp.Diff(mine, theirs); diff != "" {
		t.Errorf("one number must have one definition (-mine +analyst's):\n%s", diff)
	}
	f.into("/analytics/users/nobody/summary", &theirs)
	if !cmp.Equal(theirs.Totals, api.Counts{Revenue: []api.Revenue{}, UniqueUsersExact: true}) || len(theirs.Days) != 0 {
		t.Errorf("a user that did nothing: %+v", theirs)
	}
}

func TestWhoMayAskForWhat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, me := f.product(1), uuid.NewString()
	user, analyst, admin := f.auth.Token(authn.User, me), f.auth.Token(authn.Analyst, uuid.NewString()), f.auth.Token(authn.Admin, uuid.NewString())
	reads, ingests, all := f.apiKey("r", "read"), f.apiKey("i", "ingest"), f.apiKey("a", "admin")
	expired := f.auth.Token(authn.User, me, authntest.ExpiresAt(time.Now().Add(-time.Hour)))
	unsigned := f.auth.Token(authn.Admin, me, authntest.Unsigned())
	const top = "/analytics/products/top"
	series := "/analytics/products/" + id.String() + "/timeseries"
	const mine, other = "/analytics/users/me/summary", "/analytics/users/somebody/summary"
	const bySKU = "/analytics/products/timeseries?sku=sku-1"
	type access struct {
		path, credential string
		status           int
	}
	cases := []access{
		{top, "", 401}, {top, "nonsense", 401}, {top, expired, 401}, {top, unsigned, 401}, {top, "hpa_unknown", 401},
		{top, user, 200}, {top, reads, 200}, {top, all, 200}, {top, ingests, 403},
		{series, "", 401}, {series, user, 200}, {series, ingests, 403},
		{mine, "", 401}, {mine, user, 200}, {mine, reads, 403},
		{other, "", 401}, {other, user, 403}, {other, analyst, 200}, {other, admin, 200}, {other, reads, 200}, {other, all, 200}, {other, ingests, 403},
		{"/analytics/users/" + me + "/summary", user, 200},
		{bySKU, "", 401}, {bySKU, user, 200}, {bySKU, reads, 200}, {bySKU, ingests, 403},
		{"/analytics/live", "", 401}, {"/analytics/live", user, 403}, {"/analytics/live", ingests, 403},
		{"/system", "", 401}, {"/system", user, 403}, {"/system", analyst, 403}, {"/system", reads, 403}, {"/system", all, 403}, {"/system", admin, 200},
	}
	// What a whole project does, and who its users are, is for its members.
	for _, path := range []string{"/analytics/overview", "/analytics/events", "/analytics/events/timeseries?type=view", "/analytics/users/top"} {
		for credential, status := range map[string]int{"": 401, user: 403, ingests: 403, analyst: 200, admin: 200, reads: 200, all: 200} {
			cases = append(cases, access{path, credential, status})
		}
	}
	for _, c := range cases {
		if w := f.get(c.path, c.credential); w.Code != c.status {
			t.Errorf("GET %s with %.12s: %d, want %d: %s", c.path, c.credential, w.Code, c.status, w.Body)
		}
	}
	// A stream and reports by a link have tests of their own: TestLiveIsComplete, TestAShareLinkReadsItsReport.
	if missing := slices.DeleteFunc(f.checker.Missing("analytics"), func(id string) bool { return id == "liveEvents" || strings.HasPrefix(id, "shared") }); len(missing) > 0 {
		t.Errorf("operations never exercised: %v", missing)
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.auth.Token(authn.User, uuid.NewString())
	for query, pointer := range map[string]string{
		"metric=likes": "/query/metric", "metric=revenue_minor": "/query/metric", "timezone=Asia/Kolkata": "/query/timezone", "offset=10": "/query/offset",
		"metric=views&type=view": "/query/type", "currency=EUR": "/query/currency", "currency=eur": "/query/currency", "type=%09": "/query/type",
		"type=": "/query/type", "cursor=abc": "/query/cursor", "cursor=": "/query/cursor", "category=": "/query/category", "limit=0": "/query/limit", "limit=101": "/query/limit", "limit=ten": "/query/limit",
		"from=yesterday": "/query/from", "to=2026-02-30": "/query/to", "from=2026-02-01&to=2026-01-01": "/query/from",
		"from=2020-01-01&to=2026-01-01": "/query/from",
	} {
		w := f.get("/analytics/products/top?"+query, token)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// pend adds a batch of the default project that is not folded yet.
func (f *fixture) pend(rows int, age time.Duration) {
	f.t.Helper()
	f.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, received_at, min_ts, max_ts)
		VALUES (nextval('ingest.batch_ids'), 1, 'events', $1, now() - $2::interval, now(), now())`, rows, age)
}

// TestNumbersThatAreTooLarge have an error of their own, whether Postgres or this service adds them up.
func TestNumbersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.auth.Token(authn.Admin, uuid.NewString())
	lanes, days, rich := f.product(101), f.product(102), f.user("rich")
	f.exec(`
		INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor)
		VALUES (1, 101, '2026-01-01', 'EUR', 0, 9200000000000000000), (1, 101, '2026-01-01', 'EUR', 1, 9200000000000000000),
		       (1, 102, '2026-01-02', 'EUR', 0, 9200000000000000000), (1, 102, '2026-01-03', 'EUR', 0, 9200000000000000000)`)
	f.exec(`
		INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, lane, gross_minor)
		VALUES (1, $1, '2026-01-02', 'EUR', 0, 9200000000000000000), (1, $1, '2026-01-03', 'EUR', 0, 9200000000000000000)`, rich)
	for _, path := range []string{
		"/analytics/products/top?metric=gross_minor&from=2026-01-01&to=2026-01-01",
		"/analytics/products/top?metric=gross_minor&from=2026-01-02&to=2026-01-03",
		"/analytics/products/" + lanes.String() + "/timeseries?from=2026-01-01&to=2026-01-01",
		"/analytics/products/" + days.String() + "/timeseries?from=2026-01-02&to=2026-01-03&interval=day",
		"/analytics/products/" + days.String() + "/timeseries?from=2026-01-01&to=2026-01-31&interval=month",
		"/analytics/users/rich/summary?from=2026-01-01&to=2026-01-31",
	} {
		response := f.get(path, admin)
		if response.Code != http.StatusUnprocessableEntity || !strings.Contains(response.Body.String(), `"number_too_large"`) {
			t.Errorf("%s: %d %s", path, response.Code, response.Body)
		}
	}
	// A shorter range has an answer.
	if response := f.get("/analytics/users/rich/summary?from=2026-01-02&to=2026-01-02", admin); response.Code != http.StatusOK {
		t.Errorf("one day: %d %s", response.Code, response.Body)
	}
}

func TestMetaTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var top api.TopProducts
	f.into("/analytics/products/top?limit=1", &top)
	lag := top.Meta.AsOf.Sub(top.Meta.CompleteUntil)
	if top.Meta.PendingEvents != 0 || lag < 0 || lag > time.Second || time.Since(top.Meta.AsOf).Abs() > time.Minute {
		t.Errorf("nothing pends: %+v", top.Meta)
	}
	f.pend(5, time.Hour)
	f.pend(7, 2*time.Hour)
	f.into("/analytics/products/top?limit=2", &top)
	if top.Meta.PendingEvents != 12 || (top.Meta.AsOf.Sub(top.Meta.CompleteUntil)-2*time.Hour).Abs() > time.Second {
		t.Errorf("two batches pend: %+v", top.Meta)
	}
	// A batch that is set aside is named, and does not hold the watermark back.
	f.exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'why' WHERE aggregated_at IS NULL AND rows = 7`)
	f.into("/analytics/products/top?limit=3", &top)
	if top.Meta.PendingEvents != 5 || top.Meta.FailedEvents != 7 || (top.Meta.AsOf.Sub(top.Meta.CompleteUntil)-time.Hour).Abs() > time.Second {
		t.Errorf("one batch pends and one has failed: %+v", top.Meta)
	}
}

// publish does what the aggregator does after a commit.
func (f *fixture) publish(fields ...string) {
	f.t.Helper()
	client := redistest.ClientOf(f.t, f.redis, platformpostgres.Identity(f.db))
	versions := redistest.Key(f.t, client, protocol.VersionsKey)
	for _, field := range fields {
		if err := client.HSet(f.t.Context(), versions, field, uuid.NewString()).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestAnswersAreCachedUntilTheNumbersChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, user := f.product(1), "user-1"
	n := f.user(user)
	read := map[string]func() (views int64, cached bool){
		protocol.ProjectField(1): func() (int64, bool) {
			var a api.TopProducts
			f.into("/analytics/products/top?from=2026-01-01&to=2026-01-02", &a)
			if len(a.Items) == 0 {
				return 0, a.Meta.Cached
			}
			return a.Items[0].Value, a.Meta.Cached
		},
		protocol.ProductField(1): func() (int64, bool) {
			var a api.Series
			f.into("/analytics/products/"+id.String()+"/timeseries?from=2026-01-01&to=2026-01-02", &a)
			return a.Totals.Views, a.Meta.Cached
		},
		protocol.UserField(n): func() (int64, bool) {
			var a api.UserSummary
			f.into("/analytics/users/"+user+"/summary?from=2026-01-01&to=2026-01-02", &a)
			return a.Totals.Views, a.Meta.Cached
		},
	}
	for field, ask := range read {
		if views, cached := ask(); views != 0 || cached {
			t.Errorf("%s: first: %d, cached %t", field, views, cached)
		}
		if _, cached := ask(); !cached {
			t.Errorf("%s: second: not from the cache", field)
		}
	}
	f.count(id, "2026-01-01", 0, 42, 0, 1, 1)
	f.exec(`INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events, views) VALUES (1, $1, '2026-01-01', 0, 42, 42)`, n)
	for field, ask := range read {
		f.publish(field)
		platformtest.Eventually(t, 3*time.Second, field+": the new numbers are shown", func() bool {
			views, _ := ask()
			return views == 42
		})
	}
}

// Promise P3: Redis wiped, down or back, the numbers are the database's, at most a moment old.
func TestRedisIsDisposable(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	redis := redistest.StartServer(t)
	f := newFixtureOn(t, database.Config(), database.Pool(""), redis.Config())
	id := f.product(1)
	f.count(id, "2026-01-01", 0, 1, 0, 1, 1)
	views := func() int64 {
		var a api.Series
		f.into("/analytics/products/"+id.String()+"/timeseries?from=2026-01-01&to=2026-01-02", &a)
		return a.Totals.Views
	}
	change := func(to int64, when string) {
		t.Helper()
		f.exec(`UPDATE stats.product_daily_stats SET views = $1`, to)
		platformtest.Eventually(t, 5*time.Second, when+": the new numbers are shown", func() bool { return views() == to })
	}
	if got := views(); got != 1 {
		t.Fatalf("%d views", got)
	}
	redis.FlushAll()
	change(2, "wiped")
	redis.Kill()
	change(3, "down")
	change(4, "still down")
	redis.Restart()
	if got := views(); got != 4 {
		t.Errorf("back: %d views", got)
	}
}

func TestPostgresDownAndBack(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	db, err := platformpostgres.Open(t.Context(), server.Config(), "", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f := newFixtureOn(t, server.Config(), db, redistest.New(t))
	token := f.auth.Token(authn.User, uuid.NewString())
	ask := func(n int) *httptest.ResponseRecorder {
		return f.get(fmt.Sprintf("/analytics/products/top?limit=%d", n), token)
	}
	if w := ask(1); w.Code != 200 {
		t.Fatalf("up: %d %s", w.Code, w.Body)
	}
	if w := f.get("/ready", ""); w.Code != 200 {
		t.Errorf("ready while up: %d %s", w.Code, w.Body)
	}
	server.Stop()
	if w := ask(2); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("down: %d %v %s", w.Code, w.Header(), w.Body)
	}
	platformtest.Eventually(t, 10*time.Second, "readiness, which is shared for a second, says so", func() bool {
		w := f.get("/ready", "")
		return w.Code == 503 && strings.Contains(w.Body.String(), `"postgres":"unavailable"`)
	})
	server.Restart()
	platformtest.Eventually(t, 10*time.Second, "it recovers by itself", func() bool { return ask(3).Code == 200 })
}

// The promise that reads never touch raw events, apart from what the live stream shows, is kept by the database itself.
func TestReadsHaveNoRightToRawEvents(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("hp_analytics")
	for _, what := range []string{
		"properties FROM ingest.events", "properties FROM ingest.orders", "content_hash FROM ingest.orders", "refunded_minor FROM ingest.order_lines", "reason FROM ingest.refunds",
	} {
		if _, err := db.Exec(t.Context(), "SELECT "+what); err == nil {
			t.Errorf("analytics may read %s", what)
		}
	}
}
