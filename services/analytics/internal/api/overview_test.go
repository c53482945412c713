package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
)

func change(absolute int64, relative float64) api.Change {
	return api.Change{Absolute: &absolute, Relative: &relative}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "Asia/Kolkata", "EUR")
	before, now := shop.at("2026-03-04 12:00"), shop.at("2026-03-06 12:00")
	shop.event("a", "view", "sku", before, 10)
	shop.event("a", "add_to_cart", "sku", before, 4)
	shop.order("a", "sku", "EUR", 1, 1000, before)
	shop.order("a", "sku", "JPY", 1, 500, before)
	shop.event("a", "view", "sku", now, 20)
	shop.event("b", "view", "", now, 5)
	shop.event("b", "Signed Up", "", now, 1)
	shop.event("b", "add_to_cart", "sku", now, 2)
	shop.order("b", "sku", "EUR", 2, 1500, now)
	shop.refund("a", "sku", "EUR", 1, 1000, now)
	shop.order("b", "sku", "KWD", 1, 700, now)
	got := ask[api.Overview](shop, "/analytics/overview?from=2026-03-05&to=2026-03-07")
	if got.From.String() != "2026-03-05" || got.Previous.From.String() != "2026-03-02" || got.Previous.To.String() != "2026-03-04" || !got.Complete || !got.Previous.Complete {
		t.Errorf("%s to %s (%t), before: %+v", got.From, got.To, got.Complete, got.Previous)
	}
	if got.Totals.Events != 28 || got.Totals.Purchases != 2 || got.Totals.Units != 3 || got.Totals.UniqueUsers != 2 || got.Previous.Totals.Events != 14 || len(got.Points) != 3 {
		t.Errorf("%+v, before %+v", got.Totals, got.Previous.Totals)
	}
	sevenHundred, one := int64(700), int64(1)
	fresh := func(n *int64) api.Change { return api.Change{Absolute: n} } // the base is 0
	zero := int64(0)
	want := api.Changes{
		Events: change(14, 1), Views: change(15, 1.5), Clicks: fresh(&zero), AddToCarts: change(-2, -0.5),
		Purchases: change(0, 0), Units: change(1, 0.5), UniqueUsers: change(1, 1),
		Revenue: []api.RevenueChange{
			{Currency: "EUR", GrossMinor: change(500, 0.5), RefundedMinor: fresh(new(int64(1000))), NetMinor: change(-500, -0.5), Orders: change(0, 0), Units: change(1, 1)},
			{Currency: "JPY", GrossMinor: change(-500, -1), RefundedMinor: fresh(&zero), NetMinor: change(-500, -1), Orders: change(-1, -1), Units: change(-1, -1)},
			{Currency: "KWD", GrossMinor: fresh(&sevenHundred), RefundedMinor: fresh(&zero), NetMinor: fresh(&sevenHundred), Orders: fresh(&one), Units: fresh(&one)},
		},
	}
	if diff := cmp.Diff(want, got.Change); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
	conversion := api.Conversion{
		Views: 25, AddToCarts: 2, Purchases: 2,
		AddToCartsPerView: new(0.08), PurchasesPerAddToCart: new(1.0), PurchasesPerView: new(0.08), PurchasesPerUser: new(1.0),
	}
	if diff := cmp.Diff(conversion, got.Conversion); diff != "" {
		t.Errorf("conversion (-want +got):\n%s", diff)
	}
	// A base that is negative has no ratio, and nothing has none either.
	later := ask[api.Overview](shop, "/analytics/overview?from=2026-03-07&to=2026-03-07")
	if diff := cmp.Diff(api.Conversion{}, later.Conversion); diff != "" {
		t.Errorf("conversion of nothing (-want +got):\n%s", diff)
	}
	shop.refund("a", "sku", "JPY", 1, 900, shop.at("2026-03-09 12:00"))
	negative := ask[api.Overview](shop, "/analytics/overview?from=2026-03-10&to=2026-03-10").Change.Revenue[0]
	if *negative.NetMinor.Absolute != 900 || negative.NetMinor.Relative != nil {
		t.Errorf("change of a negative net amount: %+v", negative)
	}
}

// While something of the previous period can be missing, there is no change to show.
func TestChangeAgainstAnIncompletePeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop", "UTC", "EUR")
	shop.event("a", "view", "", shop.at("2026-03-04 12:00"), 10)
	w.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, received_at, min_ts, max_ts)
		VALUES (1, $1, 'events', 1, '2026-03-04T23:59:59Z', now(), now())`, shop.ID)
	got := ask[api.Overview](shop, "/analytics/overview?from=2026-03-05&to=2026-03-05")
	if got.Complete || got.Previous.Complete || got.Previous.Totals.Views != 10 || got.Change.Views != (api.Change{}) || got.Change.UniqueUsers != (api.Change{}) {
		t.Errorf("%+v", got)
	}
}
