package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// texts are what the numbers of some rows stand for.
type texts struct {
	users    map[int64]history.User
	names    map[int16]string
	products map[int32]history.Product
	received map[int64]time.Time // by batch
}

// wanted are the numbers of some rows.
type wanted struct {
	users    map[int64]bool
	names    map[int16]bool
	products map[int32]bool
	batches  map[int64]bool
}

func newWanted() wanted {
	return wanted{map[int64]bool{}, map[int16]bool{}, map[int32]bool{}, map[int64]bool{}}
}

func (w wanted) event(e rawEvent) {
	w.users[e.user], w.names[e.name], w.batches[e.batch] = true, true, true
	if e.product != nil {
		w.products[*e.product] = true
	}
}

// readTexts looks up what numbers stand for.
func readTexts(ctx context.Context, db querier, project int16, w wanted) (t texts, err error) {
	t.users, err = lookUp(ctx, db, `SELECT n, anonymous, id FROM ingest.users WHERE project = $1 AND n = ANY ($2)`, project, w.users,
		func(rows pgx.Rows, n *int64, u *history.User) error { return rows.Scan(n, &u.Anonymous, &u.ID) })
	if err != nil {
		return t, fmt.Errorf("read users: %w", err)
	}
	t.names, err = lookUp(ctx, db, `SELECT n, name FROM ingest.names WHERE project = $1 AND n = ANY ($2)`, project, w.names,
		func(rows pgx.Rows, n *int16, name *string) error { return rows.Scan(n, name) })
	if err != nil {
		return t, fmt.Errorf("read names: %w", err)
	}
	t.products, err = lookUp(ctx, db, `SELECT n, id, sku FROM catalog.products WHERE project = $1 AND n = ANY ($2)`, project, w.products,
		func(rows pgx.Rows, n *int32, p *history.Product) error { return rows.Scan(n, &p.ID, &p.SKU) })
	if err != nil {
		return t, fmt.Errorf("read products: %w", err)
	}
	t.received, err = lookUp(ctx, db, `SELECT id, received_at FROM ingest.batches WHERE project = $1 AND id = ANY ($2)`, project, w.batches,
		func(rows pgx.Rows, id *int64, at *time.Time) error { return rows.Scan(id, at) })
	if err != nil {
		return t, fmt.Errorf("read receipts: %w", err)
	}
	return t, nil
}

// lookUp runs a query for the wanted keys, if there are any, and returns what it finds by key.
func lookUp[K ~int16 | ~int32 | ~int64, V any](
	ctx context.Context, db querier, query string, project int16, keys map[K]bool, scan func(pgx.Rows, *K, *V) error,
) (map[K]V, error) {
	found := make(map[K]V, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	rows, err := db.Query(ctx, query, project, slices.Collect(maps.Keys(keys)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key K
		var value V
		if err := scan(rows, &key, &value); err != nil {
			return nil, err
		}
		found[key] = value
	}
	return found, rows.Err()
}

// receipt returns the receipt of a batch.
func (t texts) receipt(batch int64) history.Receipt {
	r := history.Receipt{Batch: batch}
	if at, kept := t.received[batch]; kept {
		at = at.UTC()
		r.ReceivedAt = &at
	}
	return r
}

// event returns an event with its texts.
func (t texts) event(e rawEvent) history.Event {
	event := history.Event{
		ID: e.id, TS: e.ts, Type: t.names[e.name], User: t.users[e.user], Receipt: t.receipt(e.batch), Properties: e.properties,
	}
	if e.product != nil {
		event.Product = t.products[*e.product]
	}
	return event
}

// eventPage returns the events of a filter after a position.
func (s *Store) eventPage(ctx context.Context, f eventFilter, after *history.Position, limit int) (history.Page, error) {
	sc, err := s.scanEvents(ctx, f, after, limit)
	if err != nil {
		return history.Page{}, err
	}
	var page history.Page
	found := sc.found[:min(limit, len(sc.found))]
	switch {
	case len(sc.found) > limit:
		last := found[limit-1]
		page.Next = &history.Position{TS: last.ts, ID: last.id, Dense: last.dense}
	case sc.more:
		page.Next = &sc.at
	}
	w := newWanted()
	for _, e := range found {
		w.event(e)
	}
	t, err := readTexts(ctx, s.pool, f.project, w)
	if err != nil {
		return history.Page{}, err
	}
	for _, e := range found {
		event := t.event(e)
		page.Items = append(page.Items, history.Item{Position: history.Position{TS: e.ts, ID: e.id, Dense: e.dense}, Event: &event})
	}
	return page, nil
}
