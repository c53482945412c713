package check

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// rollups compares the rollups with the clients' own count. Unlike `reconcile`, which compares them with the raw rows, it
// relies neither on those nor on any code of the platform.
func (c *Checker) rollups(ctx context.Context) ([]string, error) {
	t := c.tally()
	const (
		product = "(SELECT id::text FROM catalog.products AS p WHERE p.n = r.product)"
		user    = "(SELECT id FROM ingest.users AS u WHERE u.n = r.user_n)"
		name    = "(SELECT d.name FROM ingest.names AS d WHERE d.project = r.project AND d.n = r.name)"
		day     = "day::text"

		events = "events, 0, 0, 0, 0, 0"
		all    = "events, views, clicks, add_to_carts, purchases, units"
		money  = "gross_minor, refunded_minor, orders, units, refunded_units, 0"
	)
	hour := "to_char(hour AT TIME ZONE '" + c.Zone.String() + "', 'YYYY-MM-DD HH24')"
	var findings []string
	for _, r := range []struct {
		view, key, at, columns string
		want                   rollup
	}{
		{"stats.daily", "''", day, all, t.days},
		{"stats.hourly", "''", hour, all, t.hours},
		{"stats.product_daily", product, day, all, t.products},
		{"stats.user_daily", user, day, all, t.users},
		{"stats.name_daily", name, day, events, t.names},
		{"stats.product_name_daily", product + " || ' ' || " + name, day, events, t.productNames},
		{"stats.daily_money", "currency", day, money, t.money},
		{"stats.product_daily_money", product + " || ' ' || currency", day, money, t.productMoney},
		{"stats.user_daily_money", user + " || ' ' || currency", day, money, t.userMoney},
	} {
		found, err := c.compare(ctx, r.view, "SELECT "+r.key+", "+r.at+", "+r.columns+" FROM "+r.view+" AS r", r.want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.view, err)
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
	var key, at string
	var got counts
	target := []any{&key, &at}
	for i := range got {
		target = append(target, &got[i])
	}
	_, err = pgx.ForEachRow(rows, target, func() error {
		row := [2]string{key, at}
		seen[row] = true
		if wanted, ok := want[row]; !ok || got != wanted {
			findings = append(findings, fmt.Sprintf("%s %v is %v, and the clients count %v", name, row, got, wanted))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for row, wanted := range want {
		if !seen[row] {
			findings = append(findings, fmt.Sprintf("%s has no row %v, and the clients count %v", name, row, wanted))
		}
	}
	return findings, nil
}
