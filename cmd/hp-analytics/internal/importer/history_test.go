package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

const history = `
rows: events
fields: {type: event, user_id: userId, ts: timestamp, id: messageId}
properties_from: properties
`

// TestHistory imports events of years ago, of which one is refused, twice. Their days are proven then.
func TestHistory(t *testing.T) {
	url, key, db := startPlatform(t)
	c, err := client.New(url, client.WithAPIKey(key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	target := importer.NewPlatform(c)
	var lines []string
	for i := range 2500 {
		lines = append(lines, fmt.Sprintf(`{"event":"Signed Up","userId":"u%d","timestamp":"2011-03-%02dT10:00:00Z","messageId":"ajs-%d","properties":{"plan":"%d"}}`,
			i%50, 1+i%3, i, i%4))
	}
	lines = append(lines, `{"event":"Signed Up","userId":"`+strings.Repeat("x", 201)+`","timestamp":"2011-03-01T10:00:00Z","messageId":"long"}`)
	file := write(t, "events.ndjson", strings.Join(lines, "\n"))
	if diff := cmp.Diff(counts(mapping.Events, 2500, 0, 1), run(t, options(t, history, target, file)).Items); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	o := options(t, history, target, file)
	o.Again = true
	if diff := cmp.Diff(counts(mapping.Events, 0, 2500, 1), run(t, o).Items); diff != "" {
		t.Errorf("the second import (-want +got):\n%s", diff)
	}
	compareCounts(t, db, `SELECT day::text, sum(events)::bigint FROM stats.daily GROUP BY 1`,
		map[string]int64{"2011-03-01": 834, "2011-03-02": 833, "2011-03-03": 833})
	report, err := reconcile.Run(t.Context(), db, reconcile.Options{})
	if err != nil || report.Differences != 0 || report.Proven != 1 {
		t.Errorf("reconcile: %d differences, %d imports proven, %v", report.Differences, report.Proven, err)
	}
}

// TestRefundsOfOrders imports refunds of an order that is imported, of one that is not, of more than was paid, and of none.
func TestRefundsOfOrders(t *testing.T) {
	url, key, db := startPlatform(t)
	c, err := client.New(url, client.WithAPIKey(key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	target := importer.NewPlatform(c)
	const products = "rows: products\nfields: {sku: sku}\nconstants: {name: Product, price_minor: '100', currency: EUR}\n"
	run(t, options(t, products, target, write(t, "products.csv", "sku\ns0\ns1\ns2\n")))
	sold := write(t, "orders.csv", "order,user,ts,sku,n,amount\n1,u,2012-01-01T10:00:00Z,s0,2,10.00\n1,u,2012-01-01T10:00:00Z,s1,1,5.00\n")
	run(t, options(t, orders, target, sold))
	const refunds = "rows: refunds\nfields: {id: id, order: order, user_id: user, sku: sku, quantity: n, amount: amount, ts: ts}\nconstants: {currency: EUR}\nmissing_user: anonymous\n"
	back := write(t, "refunds.csv", "id,order,user,sku,n,amount,ts\nr1,1,u,s0,1,5.00,2012-01-02T10:00:00Z\nr2,1,u,,,2.50,2012-01-03T10:00:00Z\n"+
		"r3,9,u,s0,1,1.00,2012-01-02T10:00:00Z\nr4,1,u,s0,9,90.00,2012-01-02T10:00:00Z\nr5,,u,s2,1,1.25,2012-01-04T10:00:00Z\n")
	for _, want := range []map[mapping.Kind]importer.Counts{counts(mapping.Refunds, 3, 0, 2), counts(mapping.Refunds, 0, 3, 2)} {
		o := options(t, refunds, target, back)
		o.Again = true
		if diff := cmp.Diff(want, run(t, o).Items); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	compareCounts(t, db, `SELECT day::text, sum(gross_minor - refunded_minor)::bigint FROM stats.daily_money GROUP BY 1`,
		map[string]int64{"2012-01-01": 1500, "2012-01-02": -500, "2012-01-03": -250, "2012-01-04": -125})
}
