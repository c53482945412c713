package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// maxRounds bounds how often an order or a refund is tried. One round stores a new one or finds a known one, and a second one
// resolves an id that is twice in a flush. More are needed only when other processes commit the same keys between our statements.
const maxRounds = 4

// errContended is the answer to what no round could settle.
var errContended = errs.New(errs.Unavailable, "overloaded", "Other requests are storing the same order. Try again shortly.")

// StoreOrders implements committer.Store. A round inserts what is new in one transaction and then looks up the rest, each step
// with one statement for all orders.
func (s *Store) StoreOrders(ctx context.Context, orders []order.Order) ([]order.Outcome, error) {
	rows := 0
	for i := range orders {
		rows += len(orders[i].Lines)
	}
	defer s.observe(protocol.KindOrders, rows, time.Now())
	outcomes := make([]order.Outcome, len(orders))
	open := make([]int, len(orders)) // the orders that have no outcome yet
	for i := range open {
		open[i] = i
	}
	for range maxRounds {
		var err error
		open, err = s.storeOrders(ctx, orders, open, outcomes)
		if err != nil {
			err = classify(fmt.Errorf("store %d orders: %w", len(orders), err))
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

func fail(outcomes []order.Outcome, open []int, err error) {
	for _, i := range open {
		outcomes[i].Err = err
	}
}

// storeOrders is one round. It returns the orders that are still open; after an error these have no outcome either.
func (s *Store) storeOrders(ctx context.Context, orders []order.Order, open []int, outcomes []order.Outcome) ([]int, error) {
	result, err := s.insertOrders(ctx, orders, open)
	if keyTaken(err) {
		return open, nil // another process has committed one of the keys meanwhile: the next round finds it
	}
	if err != nil {
		return open, err
	}
	for _, i := range result.index {
		switch batch, isNew := result.stored[orders[i].Key]; {
		case isNew:
			outcomes[i].Order = orders[i]
			outcomes[i].Order.Batch, outcomes[i].Order.ReceivedAt = batch, result.receivedAt
		case result.inFlight[orders[i].Key]:
			outcomes[i].Err = order.ErrKeyInFlight
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
	for _, i := range open {
		switch epoch := result.epochs[orders[i].Project]; {
		case outcomes[i].Decided():
		case orders[i].Epoch < epoch:
			outcomes[i].Err = event.ExpiredError{Epoch: epoch}
		case result.changed[orders[i].Key]:
			outcomes[i].Err = order.ErrProductChanged
		}
	}
	return undecided(open, outcomes), nil
}

// undecided removes the orders that have an outcome from open.
func undecided(open []int, outcomes []order.Outcome) []int {
	return slices.DeleteFunc(open, func(i int) bool { return outcomes[i].Decided() })
}

// replayKeys settles the open orders whose Idempotency-Key was answered before.
func (s *Store) replayKeys(ctx context.Context, orders []order.Order, open []int, outcomes []order.Outcome) error {
	var keys []order.IdempotencyKey
	var keyed []int // the order of each key
	for _, i := range open {
		if orders[i].Idempotency != nil {
			keys, keyed = append(keys, *orders[i].Idempotency), append(keyed, i)
		}
	}
	answers, err := s.answers(ctx, keys)
	for n, answer := range answers {
		outcomes[keyed[n]] = answer
	}
	return err
}

// replayIDs settles the open orders whose id was stored before.
func (s *Store) replayIDs(ctx context.Context, orders []order.Order, open []int, outcomes []order.Outcome) error {
	keys := make([]order.Key, len(open))
	for n, i := range open {
		keys[n] = orders[i].Key
	}
	known, err := s.ordersByKey(ctx, keys)
	if err != nil {
		return err
	}
	var unanswered []*order.Order // known ids that came with a new Idempotency-Key
	for _, i := range open {
		if stored, ok := known[orders[i].Key]; ok && stored.ContentHash == orders[i].ContentHash && orders[i].Idempotency != nil {
			unanswered = append(unanswered, &orders[i])
		}
	}
	answered, err := s.saveKeys(ctx, unanswered)
	if err != nil {
		return err
	}
	for _, i := range open {
		stored, ok := known[orders[i].Key]
		switch {
		case !ok:
		case stored.ContentHash != orders[i].ContentHash:
			outcomes[i].Err = order.ErrConflict
		case orders[i].Idempotency == nil || answered[*orders[i].Idempotency]:
			outcomes[i] = order.Outcome{Order: stored, Replayed: true}
		} // or another process works on the key, and the next round finds its answer
	}
	return nil
}

// Known implements order.Archive.
func (s *Store) Known(ctx context.Context, orders []order.Order) ([]order.Outcome, error) {
	outcomes, open := make([]order.Outcome, len(orders)), make([]int, len(orders))
	for i := range open {
		open[i] = i
	}
	err := s.replayKeys(ctx, orders, open, outcomes)
	if err == nil {
		err = s.replayIDs(ctx, orders, undecided(open, outcomes), outcomes)
	}
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look for %d orders: %w", len(orders), err))
	}
	return outcomes, nil
}
