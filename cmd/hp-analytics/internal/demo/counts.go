package demo

import (
	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

func countsOf(c client.Counts) tally.Counts {
	return tally.Counts{
		Events: c.Events, Views: c.Views, Clicks: c.Clicks, AddToCarts: c.AddToCarts,
		Purchases: c.Purchases, Units: c.Units, RevenueMinor: c.RevenueMinor, UniqueUsers: c.UniqueUsers,
	}
}

func countsOfPoint(p client.SeriesPoint) tally.Counts {
	return tally.Counts{
		Events: p.Events, Views: p.Views, Clicks: p.Clicks, AddToCarts: p.AddToCarts,
		Purchases: p.Purchases, Units: p.Units, RevenueMinor: p.RevenueMinor, UniqueUsers: p.UniqueUsers,
	}
}
