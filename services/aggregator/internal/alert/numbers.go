package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/users"
)

// Metric is what an alert looks at in a project.
type Metric struct {
	Project  int16
	Kind     string // events, users, orders, units, revenue or conversion
	Currency string
	Event    string
	Product  *uuid.UUID
}

// counted tells that values are counts, which vary by chance at least as much as a Poisson distribution.
func (m Metric) counted() bool { return m.Kind != "revenue" && m.Kind != "conversion" }

// numbers reads the values of a metric in a transaction.
type numbers struct {
	Metric
	tx pgx.Tx
	// prefix and where select the rows of the metric from the tables of the whole project, of a product or of a name.
	prefix, where string
	of            int32 // the number of the product or name
}

var errNoProduct = errors.New("the product is not there")

// open returns what reads a metric. It returns errNoProduct if its product is not there.
func open(ctx context.Context, tx pgx.Tx, m Metric) (numbers, error) {
	n := numbers{Metric: m, tx: tx, where: "$4 = 0"}
	switch {
	case m.Product != nil:
		n.prefix, n.where = "product_", "product = $4"
		err := tx.QueryRow(ctx, `SELECT n FROM catalog.products WHERE project = $1 AND id = $2`, m.Project, *m.Product).Scan(&n.of)
		if errors.Is(err, pgx.ErrNoRows) {
			return n, errNoProduct
		}
		if err != nil {
			return n, fmt.Errorf("find the product of an alert: %w", err)
		}
	case m.Event != "":
		n.prefix, n.where = "name_", "name = $4"
		if name, ok := stats.NameOf(m.Event); ok {
			n.of = int32(name)
			break
		}
		// No event has the number 0, so a name that was never sent has no events.
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT n FROM ingest.names WHERE project = $1 AND name = $2), 0)`, m.Project, m.Event).Scan(&n.of)
		if err != nil {
			return n, fmt.Errorf("find the name of the events of an alert: %w", err)
		}
	}
	return n, nil
}

// value returns the value of a period, nil if it has none: conversion without views.
func (n numbers) value(ctx context.Context, p period.Period) (*float64, error) {
	var value *float64
	var err error
	switch n.Kind {
	case "users":
		value, err = n.users(ctx, p)
	case "revenue":
		value, err = n.row(ctx, p, `coalesce(sum(gross_minor - refunded_minor), 0)::float8`, "daily_money", `currency = $5`, n.Currency)
	case "conversion":
		value, err = n.row(ctx, p, `sum(purchases)::float8 / nullif(sum(views), 0)::float8`, "daily", `$5 = ''`, "")
	default:
		column := map[string]string{"events": "events", "orders": "purchases", "units": "units"}[n.Kind]
		value, err = n.row(ctx, p, `coalesce(sum(`+column+`), 0)::float8`, "daily", `$5 = ''`, "")
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s of an alert: %w", n.Kind, err)
	}
	return value, nil
}

func (n numbers) row(ctx context.Context, p period.Period, expression, view, also, arg string) (value *float64, err error) {
	query := `SELECT ` + expression + ` FROM stats.` + n.prefix + view + ` WHERE project = $1 AND day BETWEEN $2 AND $3 AND ` + n.where + ` AND ` + also
	err = n.tx.QueryRow(ctx, query, n.Project, p.First.Date(), p.Last.Date(), n.of, arg).Scan(&value)
	return value, err //nolint:wrapcheck // value wraps it
}

// users returns the users of a period: exactly those of a day of the project, and an estimate otherwise.
func (n numbers) users(ctx context.Context, p period.Period) (*float64, error) {
	if n.prefix == "" && p.First == p.Last {
		count, err := users.Exact(ctx, n.tx, n.Project, p.First)
		value := float64(count)
		return &value, err //nolint:wrapcheck // value wraps it
	}
	rows := "events + purchases"
	if n.prefix == "name_" {
		rows = "events"
	}
	most, err := n.row(ctx, p, `coalesce(sum(`+rows+`), 0)::float8`, "daily", `$5 = ''`, "")
	if err != nil {
		return nil, err
	}
	sketches := `SELECT sketch FROM stats.` + n.prefix + `daily_users WHERE project = $1 AND day BETWEEN $2 AND $3 AND ` + n.where
	count, err := users.Estimate(ctx, n.tx, int64(*most), sketches, n.Project, p.First.Date(), p.Last.Date(), n.of)
	value := float64(count)
	return &value, err //nolint:wrapcheck // value wraps it
}

// past returns the values with which that of a period is compared. Days before the first one of which the project has data are left out, and so
// are those without a value.
func (n numbers) past(ctx context.Context, baseline string, anomaly bool, p period.Period) (values []float64, err error) {
	var first *localtime.Day
	if first, err = n.firstDay(ctx); err != nil || first == nil {
		return nil, err
	}
	for _, one := range compared(baseline, anomaly, p) {
		if one.First < *first {
			continue
		}
		value, err := n.value(ctx, one)
		if err != nil {
			return nil, err
		}
		if value != nil {
			values = append(values, *value)
		}
	}
	return values, nil
}

// firstDay returns the first day of which the project has data, nil if there is none.
func (n numbers) firstDay(ctx context.Context) (*localtime.Day, error) {
	const query = `SELECT min(day) FROM (SELECT min(day) AS day FROM stats.daily_stats WHERE project = $1 UNION ALL SELECT min(day) FROM stats.daily_revenue WHERE project = $1) f`
	var date *time.Time
	if err := n.tx.QueryRow(ctx, query, n.Project).Scan(&date); err != nil {
		return nil, fmt.Errorf("find the first day of a project: %w", err)
	}
	if date == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	day := localtime.DayOfDate(*date)
	return &day, nil
}

// How many periods the baselines have.
const (
	weeks    = 8
	days     = 28
	week     = 7
	lastDays = "last_28_days"
)

// compared returns the periods of a baseline, the newest first.
func compared(baseline string, anomaly bool, p period.Period) (all []period.Period) {
	step, count := p.Last-p.First+1, 1
	switch baseline {
	case lastDays:
		count = days
	case "same_weekday":
		step = week
		if anomaly {
			count = weeks
		}
	}
	for range count {
		p = period.Period{First: p.First - step, Last: p.Last - step}
		all = append(all, p)
	}
	return all
}
