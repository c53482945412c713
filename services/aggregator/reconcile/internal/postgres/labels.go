package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// Place is where a difference is.
type Place struct {
	Hour    *time.Time // nil for a row of a day
	Day     time.Time  // ignored for a row of an hour
	Product *int64
	User    *int64
	Name    *int32
	// Currency is an ISO 4217 code.
	Currency *string
}

// PlaceOf returns where the row of a rollup is.
func PlaceOf(key recount.Key, hourly bool, subject recount.Subject, of recount.Attribute) Place {
	var p Place
	if hourly {
		hour := recount.Micros(key.At).Time()
		p.Hour = &hour
	} else {
		p.Day = recount.Date(key.At).Time()
	}
	switch subject {
	case recount.Product:
		p.Product = &key.Subject
	case recount.User:
		p.User = &key.Subject
	case recount.NoSubject:
	}
	switch of {
	case recount.Name:
		p.Name = &key.Of
	case recount.Currency:
		code := recount.CodeOf(key.Of)
		p.Currency = &code
	case recount.NoAttribute:
	}
	return p
}

// Label is a place in the customer's words.
type Label struct {
	Day time.Time
	Key string // within the day
}

// Labels returns the labels of places in a project, in their order. What has no name in the dictionaries has its number.
func (s Snapshot) Labels(ctx context.Context, p Project, places []Place) ([]Label, error) {
	zone := zoneAt("place.hour", "$2", "$9")
	query := `
		SELECT coalesce((place.hour AT TIME ZONE ` + zone + `)::date, place.day),
			concat_ws(' ', to_char(place.hour AT TIME ZONE ` + zone + `, 'HH24:MI'),
				coalesce((SELECT sku FROM catalog.products AS p WHERE p.project = $1 AND p.n = place.product), place.product::text),
				coalesce((SELECT id FROM ingest.users AS u WHERE u.project = $1 AND u.n = place.user_n), place.user_n::text),
				coalesce((SELECT e.name FROM ingest.names AS e WHERE e.project = $1 AND e.n = place.name), place.name::text), place.currency)
		FROM unnest($3::timestamptz[], $4::date[], $5::bigint[], $6::bigint[], $7::integer[], $8::text[])
			WITH ORDINALITY AS place (hour, day, product, user_n, name, currency, n)
		ORDER BY place.n`
	hours, days := make([]*time.Time, len(places)), make([]time.Time, len(places))
	products, users := make([]*int64, len(places)), make([]*int64, len(places))
	names, currencies := make([]*int32, len(places)), make([]*string, len(places))
	for i, place := range places {
		hours[i], days[i], products[i], users[i], names[i], currencies[i] = place.Hour, place.Day, place.Product, place.User, place.Name, place.Currency
	}
	zones, starts := zoneNames(p.Zones)
	rows, err := s.tx.Query(ctx, query, p.ID, zones, hours, days, products, users, names, currencies, starts)
	if err != nil {
		return nil, fmt.Errorf("name the differences: %w", err)
	}
	labels, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Label])
	if err != nil {
		return nil, fmt.Errorf("name the differences: %w", err)
	}
	return labels, nil
}
