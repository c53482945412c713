package importer_test

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/encoding/charmap"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

var retailRows = flag.Int("rows", 4000, "rows of the retail data set; the published one has 541909")

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

const retailProducts = `
rows: products
file: {charset: windows-1252}
fields: {sku: StockCode, name: Description}
constants: {price_minor: "0", currency: GBP}
repeated_sku: first
`

const retailOrders = `
rows: orders
file: {charset: windows-1252}
fields: {order: InvoiceNo, sku: StockCode, quantity: Quantity, ts: InvoiceDate, unit_price: UnitPrice, user_id: CustomerID}
constants: {currency: GBP}
properties: {country: Country}
time_layout: "2006-01-02 15:04:05"
time_zone: Europe/London
missing_user: anonymous
returns: {prefix: C, negative_quantity: refund, negative_price: refund}
`

// startPlatform starts all services for a project in London, and returns its address, an admin's key and its database.
func startPlatform(t *testing.T) (url, key string, db *pgxpool.Pool) {
	t.Helper()
	database := dbtest.New(t)
	db, key = database.Pool(""), authn.NewKey()
	for _, statement := range []string{
		`UPDATE auth.projects SET time_zone = 'Europe/London', currency = 'GBP'`,
		`UPDATE stats.zones SET time_zone = 'Europe/London'`,
		`INSERT INTO auth.api_keys (id, project, name, key_hash, prefix, scopes) VALUES ('` + uuid.NewString() + `', 1, 'import', $1, 'hpa_test', '{admin}')`,
	} {
		var args []any
		if strings.Contains(statement, "$1") {
			args = []any{authn.HashKey(key)}
		}
		if _, err := db.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + listener.Addr().String()
	names, err := host.Parse(host.All)
	if err != nil {
		t.Fatal(err)
	}
	ready, stopped := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		stopped <- host.Run(ctx, host.Options{
			Targets: names, Listener: listener, Logger: platformtest.Logger(t), Ready: func() { close(ready) },
			Environ: []string{
				"DATABASE_URL=" + database.URL(), "REDIS_URL=" + string(redistest.New(t).URL), "JWKS_URL=" + url + "/auth/.well-known/jwks.json",
				"SHUTDOWN_DRAIN_DELAY=0s", "HTTP_ACCESS_LOG=none",
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("the platform stopped with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-stopped:
		t.Fatalf("the platform did not start: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the platform is not ready after a minute")
	}
	return url, key, db
}

// retailFile writes the data set as it is published: windows-1252 with CRLF; here also packed.
func retailFile(t *testing.T, rows int) (string, *retailShop) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "retail.csv")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(file)
	shop := newRetailShop(1, rows, charmap.Windows1252.NewEncoder().Writer(packed))
	if err := shop.run(); err != nil {
		t.Fatal(err)
	}
	if packed.Close() != nil || file.Close() != nil {
		t.Fatal("the file is not whole")
	}
	return name, shop
}

// TestRetailDataSet imports a whole data set into a real platform and compares its rollups with sums that were made from the rows,
// per product, per customer and per month. A second import changes nothing.
func TestRetailDataSet(t *testing.T) {
	url, key, db := startPlatform(t)
	c, err := client.New(url, client.WithAPIKey(key), client.WithRetryPolicy(client.RetryPolicy{MaxElapsed: 5 * time.Minute}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	file, shop := retailFile(t, *retailRows)
	target := importer.NewPlatform(c)
	products := options(t, retailProducts, target, file)
	products.Checkpoint = time.Second
	if got := run(t, products).Items[mapping.Products]; got.Refused != 0 || got.Imported < 300 {
		t.Fatalf("products: %+v", got)
	}
	o := options(t, retailOrders, target, file)
	o.Out, o.Checkpoint = t.Output(), time.Second // prints rows/s
	want := map[mapping.Kind]importer.Counts{mapping.Orders: {Imported: shop.orders}, mapping.Refunds: {Imported: shop.refunds}}
	if diff := cmp.Diff(want, run(t, o).Items); diff != "" {
		t.Fatalf("the import (-want +got):\n%s", diff)
	}
	compareRetail(t, db, shop)
	o.Again = true
	want = map[mapping.Kind]importer.Counts{mapping.Orders: {Known: shop.orders}, mapping.Refunds: {Known: shop.refunds}}
	if diff := cmp.Diff(want, run(t, o).Items); diff != "" {
		t.Errorf("the second import (-want +got):\n%s", diff)
	}
	compareRetail(t, db, shop)
}

// compareRetail waits until all is counted and compares what is.
func compareRetail(t *testing.T, db *pgxpool.Pool, shop *retailShop) {
	t.Helper()
	waitUntilCounted(t, db)
	report, err := reconcile.Run(t.Context(), db, reconcile.Options{Details: t.Output()})
	if err != nil || report.Differences != 0 || report.Rows == 0 {
		t.Errorf("reconcile: %d differences in %d rows, %v", report.Differences, report.Rows, err)
	}
	for _, c := range []struct {
		name, query string
		want        map[string]int64
	}{
		{"pence by product", `SELECT p.sku, sum(gross_minor - refunded_minor)::bigint FROM stats.product_daily_money m
			JOIN catalog.products p ON p.n = m.product GROUP BY 1`, shop.products},
		{"units by product", `SELECT p.sku, sum(units - refunded_units)::bigint FROM stats.product_daily_money m
			JOIN catalog.products p ON p.n = m.product GROUP BY 1`, shop.units},
		{"pence by customer", `SELECT u.id, sum(gross_minor - refunded_minor)::bigint FROM stats.user_daily_money m
			JOIN ingest.users u ON u.n = m.user_n GROUP BY 1`, shop.customers},
		{"pence by month", `SELECT to_char(day, 'YYYY-MM'), sum(gross_minor - refunded_minor)::bigint FROM stats.daily_money GROUP BY 1`, shop.months},
		{"pence of sales by country", `SELECT o.properties->>'country', sum(l.amount_minor)::bigint FROM ingest.orders o
			JOIN ingest.order_lines l ON l.project = o.project AND l.order_id = o.id GROUP BY 1`, shop.countries},
	} {
		got := sums(t, db, c.query)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%.2000s", c.name, diff)
			continue
		}
		t.Logf("%s: %d sums are equal", c.name, len(got))
	}
}

func sums(t *testing.T, db *pgxpool.Pool, query string) map[string]int64 {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int64{}
	for rows.Next() {
		var name string
		var sum int64
		if err := rows.Scan(&name, &sum); err != nil {
			t.Fatal(err)
		}
		found[name] = sum
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return found
}

func waitUntilCounted(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	platformtest.Eventually(t, 10*time.Minute, "everything is counted", func() bool {
		var pending int
		err := db.QueryRow(t.Context(), `SELECT count(*) FROM ingest.unfolded_batches`).Scan(&pending)
		return err == nil && pending == 0
	})
}

// compareCounts waits until all is counted and compares the sums of a query.
func compareCounts(t *testing.T, db *pgxpool.Pool, query string, want map[string]int64) {
	t.Helper()
	waitUntilCounted(t, db)
	if diff := cmp.Diff(want, sums(t, db, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}
