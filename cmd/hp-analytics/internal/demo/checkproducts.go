package demo

import (
	"fmt"
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// The unique users of products are estimated with a known standard error. Five of them are exceeded by chance once in
// almost two million numbers, and tolerated; up to exactUsers there is nothing to tolerate.
const (
	tolerance  = 5 * sketch.StandardError
	exactUsers = 100
)

// closely is how the numbers of products are compared: exactly, but for estimated users.
func closely(m tally.Measure, platform, own int64) bool {
	if m != tally.UniqueUsers || own <= exactUsers {
		return platform == own
	}
	return math.Abs(float64(platform-own)) <= tolerance*float64(own)
}

// additive is how numbers are compared of which the users cannot be added up.
func additive(m tally.Measure, platform, own int64) bool {
	return m == tally.UniqueUsers || platform == own
}

// checkProducts compares the totals of each product, and the sum of all products on each day.
func (d *demo) checkProducts(f *findings, series []client.Series) error {
	days := make([]tally.Counts, d.shop.Days)
	for i, s := range series {
		sku := d.shop.Products[i].SKU
		if s.Product.SKU != sku {
			return fmt.Errorf("the platform was asked for product %s and answers with %q", sku, s.Product.SKU)
		}
		f.totals.Add(s.Totals)
		f.compare("product "+sku, s.Totals, d.own.Products[i], closely)
		if err := addDays(days, s, d.shop.From); err != nil {
			return err
		}
	}
	for i, day := range days {
		f.compare("all products on "+d.shop.From.AddDate(0, 0, i).Format(time.DateOnly), day, d.own.Days[i], additive)
	}
	return nil
}

// addDays adds the points of s, one for each day from from on, to days.
func addDays(days []tally.Counts, s client.Series, from time.Time) error {
	if len(s.Points) != len(days) {
		return fmt.Errorf("the series of product %s has %d days, asked for were %d", s.Product.SKU, len(s.Points), len(days))
	}
	for i, point := range s.Points {
		if want := from.AddDate(0, 0, i).Format(time.DateOnly); point.Start != want {
			return fmt.Errorf("the series of product %s has the day %s in the place of %s", s.Product.SKU, point.Start, want)
		}
		days[i].Add(point.Counts)
	}
	return nil
}
