package check

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// counts are the counters of one row of a rollup.
type counts struct {
	events, views, clicks, addToCarts, purchases, units, revenueMinor int64
}

func (n *counts) addEvent(typ string) {
	n.events++
	switch typ {
	case "view":
		n.views++
	case "click":
		n.clicks++
	case "add_to_cart":
		n.addToCarts++
	}
}

func (n *counts) addPurchase(quantity, amountMinor int64) {
	n.purchases++
	n.units += quantity
	n.revenueMinor += amountMinor
}

// rollup is a table of counts by key and day.
type rollup map[[2]string]*counts

func (r rollup) row(key string, ts time.Time) *counts {
	at := [2]string{key, ts.UTC().Format(time.DateOnly)}
	if r[at] == nil {
		r[at] = &counts{}
	}
	return r[at]
}

// rollups compares the rollups with the clients' own count. Unlike `reconcile`, which compares them with the raw rows, it
// relies neither on those nor on any code of the platform.
func (c *Checker) rollups(ctx context.Context) ([]string, error) {
	days, products, users, customTypes := rollup{}, rollup{}, rollup{}, rollup{}
	for _, e := range c.Account.Events {
		days.row("", e.TS).addEvent(e.Type)
		products.row(e.ProductID.String(), e.TS).addEvent(e.Type)
		users.row(e.UserID, e.TS).addEvent(e.Type)
		switch e.Type {
		case "view", "click", "add_to_cart":
		default:
			customTypes.row(e.ProductID.String()+" "+e.Type, e.TS).events++
		}
	}
	for _, p := range c.Account.Purchases {
		days.row("", p.TS).addPurchase(p.Quantity, p.AmountMinor)
		products.row(p.ProductID.String(), p.TS).addPurchase(p.Quantity, p.AmountMinor)
		users.row(p.UserID, p.TS).addPurchase(p.Quantity, p.AmountMinor)
	}
	const all = "events, views, clicks, add_to_carts, purchases, units, revenue_minor"
	var findings []string
	for _, t := range []struct {
		view, key, columns string
		want               rollup
	}{
		{"stats.daily", "''", all, days},
		{"stats.product_daily", "product_id::text", all, products},
		{"stats.user_daily", "user_id", all, users},
		{"stats.product_type_daily", "product_id || ' ' || type", "events, 0, 0, 0, 0, 0, 0", customTypes},
	} {
		found, err := c.compare(ctx, t.view, "SELECT "+t.key+", day, "+t.columns+" FROM "+t.view, t.want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.view, err)
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// compare compares the rows of a query with want.
func (c *Checker) compare(ctx context.Context, name, query string, want rollup) (findings []string, err error) {
	rows, err := c.DB.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	seen := map[[2]string]bool{}
	var key string
	var date time.Time
	var got counts
	target := []any{&key, &date, &got.events, &got.views, &got.clicks, &got.addToCarts, &got.purchases, &got.units, &got.revenueMinor}
	_, err = pgx.ForEachRow(rows, target, func() error {
		at := [2]string{key, date.Format(time.DateOnly)}
		seen[at] = true
		if wanted := want[at]; wanted == nil || got != *wanted {
			findings = append(findings, fmt.Sprintf("%s %v is %+v, and the clients count %+v", name, at, got, wanted))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for at, wanted := range want {
		if !seen[at] {
			findings = append(findings, fmt.Sprintf("%s has no row %v, and the clients count %+v", name, at, *wanted))
		}
	}
	return findings, nil
}
