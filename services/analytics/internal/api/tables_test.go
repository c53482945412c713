package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// getAs asks for a media type.
func (w *world) getAs(credential, path, accept string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+credential)
	r.Header.Set("Accept", accept)
	recorder := w.serve(r)
	if recorder.Code != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s", path, recorder.Code, recorder.Body)
	}
	return recorder
}

// sells makes two products, one with an SKU that looks like a formula and money in two currencies.
func sells(w *world) (*project, string) {
	shop := w.project("shop", "Europe/Berlin", "EUR")
	id := uuid.NewString()
	w.exec(`INSERT INTO catalog.products (id, project, sku, name, price_minor, currency) VALUES
		($2, $1, '=1+1', 'a, "b"', 1, 'EUR'), (gen_random_uuid(), $1, 'PLAIN', 'Plain', 1, 'EUR')`, shop.ID, id)
	w.exec(`INSERT INTO stats.product_daily_stats (project, product, day, lane, events, views, purchases, units)
		SELECT $1, n, '2026-01-01', 0, 9, 100 - n, 2, 3 FROM catalog.products WHERE project = $1`, shop.ID)
	w.exec(`INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor, refunded_minor, orders, units)
		SELECT $1, n, '2026-01-01', c, 0, 100, 130, 2, 3 FROM catalog.products, unnest(ARRAY['JPY', 'EUR']) c WHERE project = $1 AND sku = '=1+1'`, shop.ID)
	w.exec(`INSERT INTO ingest.batches (project, id, rows, kind, min_ts, max_ts) VALUES ($1, 1, 4, 'events', now(), now())`, shop.ID)
	return shop, id
}

// CSV has the rows of the answer in JSON, with the money of each currency in columns of its own, and its freshness in headers.
func TestReportsAsCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, id := sells(w)
	path := "/analytics/products/top?from=2026-01-01&to=2026-01-01&limit=2"
	got := w.getAs(shop.Slug, path, "text/csv")
	const counts = "counts.events,counts.views,counts.clicks,counts.add_to_carts,counts.purchases,counts.units,counts.unique_users,counts.unique_users_exact"
	want := "rank,product.id,product.sku,product.name,value," + counts + ",counts.revenue.EUR.gross_minor,counts.revenue.EUR.refunded_minor," +
		"counts.revenue.EUR.net_minor,counts.revenue.EUR.orders,counts.revenue.EUR.units,counts.revenue.JPY.gross_minor,counts.revenue.JPY.refunded_minor," +
		"counts.revenue.JPY.net_minor,counts.revenue.JPY.orders,counts.revenue.JPY.units\r\n" +
		"1," + id + `,'=1+1,"a, ""b""",99,9,99,0,0,2,3,0,false,100,130,-30,2,3,100,130,-30,2,3` + "\r\n"
	if !strings.HasPrefix(got.Body.String(), want) {
		t.Errorf("got  %s\nwant %s", got.Body, want)
	}
	records, err := csv.NewReader(got.Body).ReadAll()
	if err != nil || len(records) != 3 || records[2][2] != "PLAIN" || records[2][13] != "" {
		t.Errorf("%v, %v", records, err)
	}
	header := got.Header()
	for name, want := range map[string]string{
		"Content-Type": "text/csv; charset=utf-8; header=present", "Vary": "Accept", "Analytics-Pending-Events": "4", "Analytics-Failed-Events": "0",
		"Analytics-Cached": "false", "Analytics-Time-Zone": "Europe/Berlin", "Next-Cursor": "",
	} {
		if header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, header.Get(name), want)
		}
	}
	for _, name := range []string{"Analytics-As-Of", "Analytics-Complete-Until"} {
		if header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if cached := w.getAs(shop.Slug, path, "text/csv").Header(); cached.Get("Analytics-Cached") != "true" || cached.Get("Analytics-As-Of") != header.Get("Analytics-As-Of") {
		t.Errorf("the second answer has other freshness: %v", cached)
	}
	if page := w.getAs(shop.Slug, "/analytics/products/top?from=2026-01-01&to=2026-01-01&limit=1", "text/csv"); page.Header().Get("Next-Cursor") == "" {
		t.Error("the first of two pages has no cursor")
	}
}

// NDJSON has the rows of the answer as they are in JSON, whichever is asked for first.
func TestReportsAsNDJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, id := sells(w)
	for path, list := range map[string]string{
		"/analytics/products/top?": "items", "/analytics/products/" + id + "/timeseries?": "points", "/analytics/products/timeseries?sku=PLAIN&": "points",
		"/analytics/overview?": "points", "/analytics/events?": "items", "/analytics/users/top?": "items", "/analytics/users/somebody/summary?": "days",
	} {
		path += "from=2026-01-01&to=2026-01-04"
		lines := bytes.Split(bytes.TrimSuffix(w.getAs(shop.Slug, path, "application/x-ndjson").Body.Bytes(), []byte("\n")), []byte("\n"))
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(w.getAs(shop.Slug, path, "application/json").Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		var want []json.RawMessage
		if err := json.Unmarshal(answer[list], &want); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 {
			want = []json.RawMessage{{}}
		}
		for i, line := range lines {
			if i >= len(want) || !bytes.Equal(line, want[i]) {
				t.Errorf("%s: line %d is %s", path, i, line)
			}
		}
		if len(lines) != len(want) {
			t.Errorf("%s: %d lines, want %d", path, len(lines), len(want))
		}
		w.getAs(shop.Slug, path, "text/csv")
	}
}

// Guests get no sales in CSV, either: the cells are empty and there is no currency.
func TestGuestsGetNoSalesInCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, _ := sells(w)
	shop.calls("guest", authn.Principal{Subject: uuid.NewString(), Role: authn.User, Guest: true})
	records, err := csv.NewReader(w.getAs("guest", "/analytics/products/top?from=2026-01-01&to=2026-01-01", "text/csv").Body).ReadAll()
	if err != nil || len(records) != 3 {
		t.Fatalf("%v, %v", records, err)
	}
	row := map[string]string{}
	for i, name := range records[0] {
		row[name] = records[1][i]
		if strings.Contains(name, "revenue") {
			t.Errorf("there is a column %s", name)
		}
	}
	if diff := cmp.Diff([]string{"99", "", ""}, []string{row["counts.views"], row["counts.purchases"], row["counts.units"]}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The examples of the documentation work.
func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop, _ := sells(w)
	text, err := os.ReadFile("../../../../docs/export.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Accept: ([^']*)' "\$API(/analytics[^"]*)"`).FindAllStringSubmatch(string(text), -1)
	for _, example := range found {
		if got := w.getAs(shop.Slug, example[2], example[1]).Header().Get("Content-Type"); !strings.HasPrefix(got, example[1]) {
			t.Errorf("%s is answered with %s", example[0], got)
		}
	}
	if len(found) != 3 {
		t.Errorf("%d examples were tried", len(found))
	}
}
