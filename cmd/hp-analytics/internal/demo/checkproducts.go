package demo

import (
	"fmt"
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// The platform estimates the unique users of products with a known standard error. An estimate that is off by five
// standard errors counts as equal: chance exceeds that once in almost two million numbers. Up to exactUsers the platform
// is exact.
const (
	tolerance  = 5 * sketch.StandardError
	exactUsers = 100
)

// closely compares the numbers of products: unique users within the tolerance, everything else exactly.
func closely(m tally.Measure, platform, own int64) bool {
	if m != tally.UniqueUsers || own <= exactUsers {
		return platform == own
	}
	return math.Abs(float64(platform-own)) <= tolerance*float64(own)
}

// additive compares sums over products. It ignores unique users, which cannot be added up.
func additive(m tally.Measure, platform, own int64) bool {
	return m == tally.UniqueUsers || platform == own
}

// checkProducts compares the totals of each product, and the sum of all products on each day.
func (d *demo) checkProducts(f *findings, series []client.Series) error {
	days := make([]tally.Counts, d.shop.Days)
	for i, s := range series {
		sku := d.shop.Products[i].SKU
		if s.Product.SKU != sku {
			return fmt.Errorf("the series of product %s was requested, and that of %q was returned", sku, s.Product.SKU)
		}
		totals := countsOf(s.Totals)
		f.totals.Add(totals)
		f.compare("product "+sku, totals, d.own.Products[i], closely)
		if err := addDays(days, s, d.shop); err != nil {
			return err
		}
	}
	for i, day := range days {
		f.compare("all products on "+d.shop.Day(i).Format(time.DateOnly), day, d.own.Days[i], additive)
	}
	return nil
}

// addDays adds the points of s to days. There must be one point for each day of the shop, in order, that begins when the day does
// where the shop is.
func addDays(days []tally.Counts, s client.Series, shop *shop.Shop) error {
	if len(s.Points) != len(days) {
		return fmt.Errorf("the series of product %s has %d days instead of %d", s.Product.SKU, len(s.Points), len(days))
	}
	for i, point := range s.Points {
		if want := shop.DayStart(i); !point.Start.Equal(want) {
			return fmt.Errorf("the series of product %s has a day from %s on instead of %s", s.Product.SKU, point.Start, want)
		}
		days[i].Add(countsOfPoint(point))
	}
	return nil
}
