package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	purchaseColumns = `id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id, received_at`
	// maxRounds bounds how often a purchase is tried. One round stores a new purchase or finds a known one, and a second
	// one resolves an id that is twice in a flush. More are needed only when other processes commit the same keys between
	// our statements.
	maxRounds = 4
)

// errContended is the answer to a purchase that no round could settle.
var errContended = errs.New(errs.Unavailable, "overloaded", "Other requests are storing the same purchase. Try again shortly.")

// StorePurchases implements committer.Store. A round inserts what is new in one transaction and then looks up the rest,
// each step with one statement for all purchases.
func (s *Store) StorePurchases(ctx context.Context, orders []event.Order) ([]committer.Outcome, error) {
	defer s.observe(protocol.KindOrders, len(orders), time.Now())
	outcomes := make([]committer.Outcome, len(orders))
	open := make([]int, len(orders)) // the orders that have no outcome yet
	for i := range open {
		open[i] = i
	}
	for range maxRounds {
		batch, err := s.ids.take(ctx, s.pool)
		if err != nil {
			return nil, classify(err)
		}
		open, err = s.storePurchases(ctx, batch, orders, open, outcomes)
		if err != nil {
			err = classify(fmt.Errorf("store batch %d of %d purchases: %w", batch, len(orders), err))
			if len(open) == len(orders) {
				return nil, err
			}
			fail(outcomes, open, err)
			return outcomes, nil
		}
		if len(open) == 0 {
			return outcomes, nil
		}
	}
	fail(outcomes, open, errContended)
	return outcomes, nil
}

func fail(outcomes []committer.Outcome, open []int, err error) {
	for _, i := range open {
		outcomes[i].Err = err
	}
}

// storePurchases is one round. It returns the orders that are still open; after an error these have no outcome either.
func (s *Store) storePurchases(ctx context.Context, batch int64, orders []event.Order, open []int, outcomes []committer.Outcome) ([]int, error) {
	dropped := s.dropped.known()
	columns := newOrderColumns(orders, slices.DeleteFunc(slices.Clone(open), func(i int) bool { return dropped[dayOf(orders[i].TS)] }))
	var inserted inserted
	var err error
	if len(columns.index) > 0 {
		inserted, err = s.insertPurchases(ctx, batch, columns)
	}
	_, anyDropped := errors.AsType[droppedDaysError](err)
	switch {
	case keyTaken(err):
		return open, nil // another process has committed one of the keys meanwhile: the next round finds it
	case anyDropped: // nothing is stored: the next round stores the orders of other days
	case err != nil:
		return open, err
	}
	for _, i := range columns.index {
		switch id := nameOf(&orders[i]); {
		case inserted.all || inserted.ids[id]:
			outcomes[i].Purchase = orders[i].Purchase
			outcomes[i].Purchase.Batch, outcomes[i].Purchase.ReceivedAt = batch, inserted.receivedAt
		case inserted.inFlight[id]:
			outcomes[i].Err = event.ErrKeyInFlight
		}
	}
	open = undecided(open, outcomes)
	if err := s.replayKeys(ctx, orders, open, outcomes); err != nil {
		return open, err
	}
	open = undecided(open, outcomes)
	if err := s.replayIDs(ctx, orders, open, outcomes); err != nil {
		return open, err
	}
	dropped = s.dropped.known() // the insert may have found more
	for _, i := range open {
		switch {
		case decided(&outcomes[i]):
		case dropped[dayOf(orders[i].TS)]:
			outcomes[i].Err = event.ErrDayDropped
		case inserted.changed[nameOf(&orders[i])]:
			outcomes[i].Err = event.ErrProductChanged
		}
	}
	return undecided(open, outcomes), nil
}

// undecided removes the orders that have an outcome from open.
func undecided(open []int, outcomes []committer.Outcome) []int {
	return slices.DeleteFunc(open, func(i int) bool { return decided(&outcomes[i]) })
}

func decided(o *committer.Outcome) bool { return o.Err != nil || o.Purchase.Batch != 0 }

// replayKeys settles the open orders whose idempotency key was answered before.
func (s *Store) replayKeys(ctx context.Context, orders []event.Order, open []int, outcomes []committer.Outcome) error {
	var keys []event.IdempotencyKey
	var keyed []int // the order of each key
	for _, i := range open {
		if orders[i].Key != nil {
			keys, keyed = append(keys, *orders[i].Key), append(keyed, i)
		}
	}
	answers, err := s.answers(ctx, keys)
	for n, answer := range answers {
		outcomes[keyed[n]] = answer
	}
	return err
}

// replayIDs settles the open orders whose id was stored before.
func (s *Store) replayIDs(ctx context.Context, orders []event.Order, open []int, outcomes []committer.Outcome) error {
	known, err := s.purchasesByID(ctx, orders, open)
	if err != nil {
		return err
	}
	var unanswered []int // known ids that came with a new key
	for i, p := range known {
		if p.UserID == orders[i].UserID && orders[i].Key != nil {
			unanswered = append(unanswered, i)
		}
	}
	answered, err := s.saveKeys(ctx, orders, unanswered)
	if err != nil {
		return err
	}
	for i, p := range known {
		switch {
		case p.UserID != orders[i].UserID:
			outcomes[i].Err = event.ErrIDTaken
		case orders[i].Key == nil || answered[*orders[i].Key]:
			outcomes[i] = committer.Outcome{Purchase: p, Replayed: true}
		} // or another process works on the key, and the next round finds its answer
	}
	return nil
}

// purchasesByID returns the stored purchases that have the identity of an open order, by index of the order. LIMIT keeps
// the planner to one look-up in the primary key of one partition for each, whatever it believes of sizes.
func (s *Store) purchasesByID(ctx context.Context, orders []event.Order, open []int) (map[int]event.Purchase, error) {
	found := make(map[int]event.Purchase, len(open))
	if len(open) == 0 {
		return found, nil
	}
	const query = `
		SELECT sent.n, stored.*
		FROM unnest($1::integer[], $2::timestamptz[], $3::uuid[], $4::bigint[]) AS sent (n, ts, id, owner)
		CROSS JOIN LATERAL (
			SELECT ` + purchaseColumns + `
			FROM ingest.purchases AS p
			WHERE p.owner = sent.owner AND p.ts = sent.ts AND p.id = sent.id
			LIMIT 1
		) AS stored`
	times, ids, owners := make([]time.Time, len(open)), make([][16]byte, len(open)), make([]int16, len(open))
	for n, i := range open {
		times[n], ids[n], owners[n] = orders[i].TS, orders[i].ID, orders[i].Project
	}
	rows, _ := s.pool.Query(ctx, query, open, times, ids, owners) // ForEachRow returns its error
	var i int
	var p event.Purchase
	_, err := pgx.ForEachRow(rows, append([]any{&i}, fields(&p)...), func() error {
		found[i] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up %d purchases: %w", len(open), err)
	}
	return found, nil
}

// fields returns where purchaseColumns are scanned to.
func fields(p *event.Purchase) []any {
	return []any{&p.ID, &p.TS, &p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor, &p.Currency, &p.Batch, &p.ReceivedAt}
}
