package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// The actions that the audit log has of this service, as x-audit in openapi.yaml names them.
const (
	productCreated      = "product.created"
	productChanged      = "product.changed"
	productPriceChanged = "product.price_changed"
	productArchived     = "product.archived"
	productReactivated  = "product.reactivated"
	productBulkChanged  = "product.bulk_changed"
)

// record adds a change of a product to the audit log; before is empty for a new one.
func record(ctx context.Context, tx pgx.Tx, project int16, before, after product.Product) error {
	details := audit.Details{"sku": after.SKU}
	if before.Version == 0 {
		details["price_minor"], details["currency"] = after.PriceMinor, after.Currency
	} else {
		details["changed"] = differences(before, after)
		if repriced(before, after) {
			details["price_minor"], details["currency"] = []int64{before.PriceMinor, after.PriceMinor}, []string{before.Currency, after.Currency}
		}
	}
	return audit.Record(ctx, tx, audit.Entry{
		Action: actionOf(before, after), Project: project, Subject: "product:" + after.ID.String(), Details: details,
	})
}

// actionOf names a change by the most important thing that it does.
func actionOf(before, after product.Product) string {
	switch {
	case before.Version == 0:
		return productCreated
	case before.Status != after.Status && after.Status == product.Archived:
		return productArchived
	case before.Status != after.Status:
		return productReactivated
	case repriced(before, after):
		return productPriceChanged
	}
	return productChanged
}

func repriced(before, after product.Product) bool {
	return before.PriceMinor != after.PriceMinor || before.Currency != after.Currency || !maps.Equal(before.Prices, after.Prices)
}

// differences returns the names of the members that differ.
func differences(before, after product.Product) (names []string) {
	add := func(name string, same bool) {
		if !same {
			names = append(names, name)
		}
	}
	add("sku", before.SKU == after.SKU)
	add("name", before.Name == after.Name)
	add("description", before.Description == after.Description)
	add("category", before.Category == after.Category)
	add("price_minor", before.PriceMinor == after.PriceMinor)
	add("currency", before.Currency == after.Currency)
	add("prices", maps.Equal(before.Prices, after.Prices))
	add("attributes", slices.Equal(before.Attributes, after.Attributes))
	add("status", before.Status == after.Status)
	add("placeholder", before.Placeholder == after.Placeholder)
	return names
}

// recordBulk adds the changes of a round to the audit log, if there are any: how many products were written, by action.
func recordBulk(ctx context.Context, tx pgx.Tx, project int16, p plan, written map[string]product.Product) error {
	if len(written) == 0 {
		return nil
	}
	counts := map[string]int{}
	for _, e := range slices.Concat(p.updates, p.inserts) {
		now, ok := written[e.item.SKU]
		switch {
		case !ok:
		case e.old == nil:
			counts[productCreated]++
		default:
			counts[actionOf(*e.old, now)]++
		}
	}
	details := audit.Details{}
	for action, n := range counts {
		details[strings.TrimPrefix(action, "product.")] = n
	}
	return audit.Record(ctx, tx, audit.Entry{Action: productBulkChanged, Project: project, Subject: "products", Details: details})
}
