package demo

import (
	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

func countsOf(c client.Counts) tally.Counts {
	counts := tally.Counts{
		Events: c.Events, Views: c.Views, Clicks: c.Clicks, AddToCarts: c.AddToCarts,
		Purchases: c.Purchases, Units: c.Units, UniqueUsers: c.UniqueUsers,
	}
	addRevenue(&counts, c.Revenue)
	return counts
}

func countsOfPoint(p client.SeriesPoint) tally.Counts {
	counts := tally.Counts{
		Events: p.Events, Views: p.Views, Clicks: p.Clicks, AddToCarts: p.AddToCarts,
		Purchases: p.Purchases, Units: p.Units, UniqueUsers: p.UniqueUsers,
	}
	addRevenue(&counts, p.Revenue)
	return counts
}

// addRevenue adds the money in the currencies of the shop. Money in another currency is missing in one of them.
func addRevenue(counts *tally.Counts, revenue []client.Revenue) {
	for _, r := range revenue {
		m := tally.Money{GrossMinor: r.GrossMinor, RefundedMinor: r.RefundedMinor, NetMinor: r.NetMinor, Orders: r.Orders, Units: r.Units}
		switch r.Currency {
		case shop.Euro:
			counts.Euro.Add(m)
		case shop.Yen:
			counts.Yen.Add(m)
		}
	}
}
