package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// maxRounds bounds how often Upsert tries to create a product while others take its SKU, and then give it up.
const maxRounds = 10

var errContended = errs.New(errs.Unavailable, "products_contended", "Others change the same products all the time. Send the request again.")

// Upsert creates or changes the products of bulk.Items in a project by SKU, and adds the outcomes to bulk. It reads the products,
// applies the items, and writes what differs unless somebody else has written it since; so a product that stays as it is costs
// one read and is not locked. Then it does the same with the rest, whose rows it locks as it reads them. Each round is a
// transaction: an error can follow after a part of the items was written. The audit log has a row for each round that writes
// something, which is one unless others change the same products at the same moment.
func (s *Store) Upsert(ctx context.Context, project int16, bulk *product.Bulk) error {
	// All upserts lock rows and insert keys in the order of their SKUs, so they cannot deadlock.
	items := slices.SortedFunc(slices.Values(bulk.Items), func(a, b product.Item) int { return cmp.Compare(a.SKU, b.SKU) })
	lock := ""
	for range maxRounds {
		if len(items) == 0 {
			return nil
		}
		left, err := s.round(ctx, project, bulk, items, lock)
		if err != nil {
			return fmt.Errorf("upsert %d products: %w", len(items), postgres.Classify(err))
		}
		items, lock = left, ` ORDER BY sku FOR NO KEY UPDATE OF products`
	}
	return errContended
}

// round does what can be done at once, and returns the items that were not written.
func (s *Store) round(ctx context.Context, project int16, bulk *product.Bulk, items []product.Item, lock string) (left []product.Item, err error) {
	var p plan
	var written map[string]product.Product
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		old, err := findAll(ctx, tx, project, items, lock)
		if err != nil {
			return err
		}
		p = newPlan(bulk, items, old)
		if written, err = updateAll(ctx, tx, project, p.updates); err != nil {
			return err
		}
		if err := insertAll(ctx, tx, project, p.inserts, written); err != nil {
			return err
		}
		return recordBulk(ctx, tx, project, p, written)
	})
	if err != nil {
		return nil, err
	}
	for _, e := range p.unchanged {
		bulk.Count(e.old, e.now)
	}
	for _, e := range slices.Concat(p.updates, p.inserts) {
		if now, ok := written[e.item.SKU]; ok {
			bulk.Count(e.old, now)
		} else {
			left = append(left, e.item)
		}
	}
	return left, nil
}

// findAll returns the products that have the SKUs of items, with lock at the end of the query.
func findAll(ctx context.Context, tx pgx.Tx, project int16, items []product.Item, lock string) (map[string]*product.Product, error) {
	const query = `
		SELECT ` + columns + `
		FROM unnest($2::text[]) AS given (sku)
		JOIN catalog.products USING (sku)
		WHERE project = $1` // sku = ANY would compare every SKU with every row when all rows are read
	rows, err := tx.Query(ctx, query+lock, project, column(items, func(i product.Item) string { return i.SKU }))
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scan)
	old := make(map[string]*product.Product, len(found))
	for i := range found {
		old[found[i].SKU] = &found[i]
	}
	return old, err
}

// edit is what an item does to its product.
type edit struct {
	item product.Item
	old  *product.Product // nil for a new product
	now  product.Product
}

// plan is what the items of a round do, in their order.
type plan struct{ inserts, updates, unchanged []edit }

// newPlan applies items to the products that there are. It refuses those whose outcome is not valid.
func newPlan(bulk *product.Bulk, items []product.Item, old map[string]*product.Product) (p plan) {
	for _, item := range items {
		e := edit{item: item, old: old[item.SKU]}
		var err error
		if e.now, err = item.Next(e.old); err != nil {
			bulk.Refuse(item.Index, err)
			continue
		}
		switch {
		case e.old == nil:
			p.inserts = append(p.inserts, e)
		case e.old.Same(e.now):
			p.unchanged = append(p.unchanged, e)
		default:
			p.updates = append(p.updates, e)
		}
	}
	return p
}

func column[T, V any](rows []T, value func(T) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return values
}
